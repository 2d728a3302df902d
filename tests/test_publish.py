"""Proves that a release follows the plan, can be made again to the byte, and lets out nothing that it holds back."""

from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from analysis.indicators import Ages, Domain
from survey.folder import Folder
from survey.frozen import read_manifest
from survey.problems import Conflict
from survey.publication.figures import Earlier, figures
from survey.publication.measuring import NotReleased, evaluate
from survey.publication.results import Cell, Release
from survey.publication.sealing import manifest_hash, verify
from survey.publication.terminal import show
from survey.publication.views import View
from survey.publication.weighting import having, inside, openness, shares, weigh
from survey.publish import read_totals, release
from tests import attack
from tests.village import Village

TRUTH = {"EPAY_ANY_ALL": {"": 0.7, "urban_rural=urban": 0.8}, "HH6": {"": 0.99}}


@pytest.fixture(scope="module")
def village(closed_round) -> Village:
    return closed_round[0]


@pytest.fixture(scope="module")
def frozen(closed_round) -> Path:
    return closed_round[1]


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("release")


@pytest.fixture(scope="module")
def found(village, frozen, out):
    return release(village.folder, frozen, out, TRUTH)


@pytest.fixture(scope="module")
def measured(village, frozen):
    tables = [pq.ParquetFile(frozen / f"{name}.parquet").read() for name in ("households", "persons")]
    return evaluate(*tables, village.folder.analysis)


@pytest.fixture(scope="module")
def weighted(village, measured):
    return weigh(measured.households, measured.persons, village.folder.analysis, read_totals(village.folder))


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


def test_a_published_share_is_the_weighted_share(found, measured, weighted):
    for id, unit in (("EPAY_ANY_ALL", "person"), ("ACC_15P", "person"), ("HH6", "household")):
        arrays = measured.persons if unit == "person" else measured.households
        weight = weighted.design(unit).weight
        members = arrays[inside(id)] == 1
        has = np.nan_to_num(arrays[having(id)])
        cell = found.cell(id)
        assert cell.value == pytest.approx(
            (weight * has * members).sum() / (weight * members).sum(), abs=1e-12
        )
        assert cell.having == pytest.approx((weight * has * members).sum())
        assert cell.lower < cell.value < cell.upper
        assert cell.kg_lower < cell.value < cell.kg_upper


def test_people_of_all_ages_and_those_of_fifteen_and_over_are_different_questions(found, weighted, measured):
    everyone, adults = found.cell("EPAY_ANY_ALL"), found.cell("EPAY_ANY_15P")
    assert everyone.total == pytest.approx(1_971_100, rel=1e-9), "the whole population of population.csv"
    assert adults.total < 0.8 * everyone.total
    assert everyone.n > adults.n
    assert adults.n == found.outcomes.complete, "one adult a household"


def test_the_weights_reach_every_margin_of_the_population(village, measured, weighted):
    totals = read_totals(village.folder)["population.csv"]
    for margin, wanted in totals.items():
        for key, total in wanted.items():
            here = np.all(
                [measured.persons[name] == part for name, part in zip(margin, key, strict=True)], axis=0
            )
            assert weighted.persons.weight[here].sum() == pytest.approx(total, rel=1e-9)


def test_only_the_person_drawn_and_the_children_are_measured(measured, frozen):
    people = pq.ParquetFile(frozen / "persons.parquet").read().to_pylist()
    wanted = [person for person in people if person["selected"] or not person["eligible"]]
    assert len(measured.persons["case"]) == len(wanted)
    assert set(measured.persons["from_how_many"][measured.persons["selected"] == 0]) == {1.0}


def test_every_indicator_is_there_for_every_domain_that_fits(found):
    assert {cell.indicator for cell in found.cells} == {one.id for one in found.plan.indicators}
    assert next(cell.category for cell in found.table("EPAY_ANY_ALL", "age_band")) == "0-14"
    assert "0-14" not in [cell.category for cell in found.table("EPAY_ANY_15P", "age_band")]
    assert not found.table("HH6", "sex"), "a household has no sex"
    assert len(found.table("EPAY_ANY_ALL", "commune")) == 64
    assert found.names["commune"]["10525"]["vi"] == "Phường Hải Dương"


def test_verdicts_follow_their_bounds_and_their_alpha(found):
    assert {one.target for one in found.decisions} == {target.id for target in found.plan.targets}
    for one in found.decisions:
        target = found.target(one.target)
        assert (one.alpha, one.threshold, one.comparison) == (
            target.alpha,
            target.threshold,
            target.comparison,
        )
        assert one.verdict == (
            "met"
            if one.bound_low > one.threshold
            else "not_met"
            if one.bound_high < one.threshold
            else "not_determined"
        )
        assert (one.p_met < one.alpha) == (one.verdict == "met")
        cell = found.cell(one.indicator)
        assert cell.lower < one.bound_low < cell.value < one.bound_high < cell.upper, (
            "one-sided 95 is two-sided 90"
        )


def with_plan(village: Village, **changes) -> Folder:
    return replace(village.folder, analysis=replace(village.folder.analysis, **changes))


def test_dont_know_and_refused_may_count_for_different_things(village, frozen, measured, weighted):
    households, persons = (
        pq.ParquetFile(frozen / f"{name}.parquet").read() for name in ("households", "persons")
    )
    state, at = "home_internet__missing", households.column_names.index("home_internet__missing")
    states = households[state].to_pylist()
    unsure = [place for place, one in enumerate(states) if one == "dont_know"]
    for place in unsure[::2]:
        states[place] = "refused"
    changed = households.set_column(at, state, pa.array(states))
    plan = village.folder.analysis
    (home,) = [one for one in plan.indicators if one.id == "HH6"]
    again = evaluate(changed, persons, plan).households
    had, weight = again[having("HH6")] == 1.0, weighted.households.weight
    order = dict(zip(households["case"].to_pylist(), states, strict=True))
    why = np.array([order[case] for case in again["case"]], dtype=object)
    answering = weight > 0
    assert {"dont_know", "refused"} <= set(why[answering])

    def share(**treatments: str) -> float:
        one = replace(home, **treatments)
        design = weighted.households.with_columns(**{name: again[name] for name in (inside("HH6"), having("HH6"), openness("HH6"))})  # fmt: skip
        return shares(replace(weighted, households=design), one)[""].value

    def by_hand(left_out: tuple[str, ...]) -> float:
        there = answering & ~np.isin(why.astype(str), left_out)
        return weight[there & had].sum() / weight[there].sum()

    assert share() == pytest.approx(by_hand(()))
    assert share(refused="exclude") == pytest.approx(by_hand(("refused",)))
    assert share(dont_know="exclude") == pytest.approx(by_hand(("dont_know",)))
    assert share(unknown="exclude", refused="no") == pytest.approx(by_hand(("dont_know",)))
    assert share(unknown="exclude") == pytest.approx(by_hand(("dont_know", "refused")))


def test_a_derived_numerator_is_left_open_by_the_answers_behind_it(village, frozen):
    """A refusal among several open answers goes before a "don't know"; a choice of many has one state for all its columns."""
    households, persons = (
        pq.ParquetFile(frozen / f"{name}.parquet").read() for name in ("households", "persons")
    )
    plan = village.folder.analysis
    for name, id in (("wallet", "EPAY_ANY_ALL"), ("skills", "SKILL_COPY")):
        before = evaluate(households, persons, plan).persons[openness(id)]
        assert (before == 1.0).sum() > 0
        state = f"{name}__missing"
        states = ["refused" if one == "dont_know" else one for one in persons[state].to_pylist()]
        changed = persons.set_column(persons.column_names.index(state), state, pa.array(states))
        after = evaluate(households, changed, plan).persons[openness(id)]
        assert (after == 2.0).sum() > 0
        assert set(before[after == 2.0]) == {1.0}
        assert np.array_equal(before[after != 2.0], after[after != 2.0])


def test_the_method_note_says_what_dont_know_and_refused_count_as(village, found):
    def note(language: str, release: Release) -> str:
        return " ".join(View(release, language).method()["answers"])

    assert "vì không biết thì tính trong mẫu số, không tính là có; vì từ chối trả lời thì tính trong" in note(
        "vi", found
    )
    home, *others = reversed(found.plan.indicators)
    apart = replace(found.plan, indicators=(*others, replace(home, refused="exclude")))
    told = note("en", msgspec.structs.replace(found, plan=apart))
    assert "not counted as having it; because of a refusal, left out of numerator and denominator" in told
    topic = View(found, "vi").topic(found.plan.indicators[0])
    assert "Không biết: tính trong mẫu số" in topic.unknown
    assert "Từ chối trả lời: tính trong mẫu số, không tính là có (0" in topic.unknown


def test_verdicts_may_share_their_alpha_and_the_note_says_so(village, frozen, found, measured, weighted):
    shared = figures(
        with_plan(village, multiplicity="bonferroni"), read_manifest(frozen), measured, weighted, {}
    )
    count = len(found.plan.targets)
    for own, one in zip(found.decisions, shared.decisions, strict=True):
        assert (own.alpha, own.sharing, one.alpha, one.sharing) == (
            0.05,
            1,
            pytest.approx(0.05 / count),
            count,
        )
        assert one.bound_low < own.bound_low < own.value < own.bound_high < one.bound_high
        assert (one.p_met < one.alpha) == (one.verdict == "met")
    each, together = (View(one, "vi").method()["verdicts"][-1] for one in (found, shared))
    assert "30%" in each
    assert "không hiệu chỉnh" in each
    assert "không quá 5%" in together
    assert "Bonferroni" in together


def test_an_office_may_publish_by_the_coefficient_of_variation(village, frozen, found, measured, weighted):
    rules = replace(village.folder.analysis.release, quality="statcan", interval="korn_graubard")
    told = figures(with_plan(village, release=rules), read_manifest(frozen), measured, weighted, {})
    shown = [one for one in told.cells if one.status == "show"]
    assert all(100 * one.se / one.value < 33.35 for one in shown)
    assert {"E" in one.flags for one in shown} == {True, False}
    assert all(("E" in one.flags) == (round(100 * one.se / one.value, 1) > 16.5) for one in shown)
    assert {"variation"} <= {reason for one in told.cells for reason in one.reasons}
    assert "Canada" in View(told, "en").method()["rules"][0]

    beside = replace(village.folder.analysis.release, flags="statcan")
    lettered = figures(with_plan(village, release=beside), read_manifest(frozen), measured, weighted, {})
    assert [(one.status, one.value) for one in lettered.cells] == [
        (one.status, one.value) for one in found.cells
    ]
    assert any("E" in one.flags for one in lettered.cells)
    assert "for information only" in View(lettered, "en").method()["rules"][1]


def test_bounds_of_age_stand_in_the_registry_and_on_the_page(village, measured, out):
    adults = next(one for one in village.folder.analysis.indicators if one.id == "ACC_15P")
    assert (adults.ages, adults.asked()) == (Ages(first=15), "age >= 15")
    both = replace(adults, universe="own_mobile = 'yes' OR age > 80", ages=Ages(first=15, last=64))
    assert both.asked("years") == "(own_mobile = 'yes' OR age > 80) AND (years >= 15) AND (years <= 64)"
    assert measured.persons[inside("ACC_15P")].sum() < measured.persons[inside("EPAY_ANY_ALL")].sum()
    assert "từ 15 tuổi</dd>" in (out / "site/indicator-ACC_15P.html").read_text("utf-8")


def test_the_method_note_follows_the_plan(found, village, frozen, measured, weighted):
    sampling = msgspec.structs.replace(village.folder.plan.sampling, reserve=4, allocation="equal")
    plan = msgspec.structs.replace(village.folder.plan, sampling=sampling, modes=("phone", "paper"))
    sheet = msgspec.structs.replace(village.folder.questionnaire, draws=(), rosters=())
    other = replace(with_plan(village, limits={}), plan=plan, questionnaire=sheet)
    told = figures(other, read_manifest(frozen), measured, weighted, {})
    here, there = (View(one, "en").method() for one in (found, told))
    assert "drew one person at random" in " ".join(here["sample"])
    assert "none was replaced" in " ".join(here["sample"])
    said = " ".join(there["sample"])
    assert "same number of areas" in said
    assert "household as a whole" in said
    assert "4 reserve households" in said
    assert "replaced" not in said
    assert "by telephone; on paper" in said
    assert (len(here["limits"]), len(there["limits"])) == (2, 1), "banks are this survey's matter"


def test_what_is_held_back_is_in_no_file(found, out):
    held = [cell for cell in found.cells if cell.status != "show"]
    assert {cell.status for cell in held} == {"F", "x"}
    numbers = ("value", "se", "lower", "upper", "kg_lower", "kg_upper", "n", "effective_n", "df", "deff", "unknown",
               "having", "total")  # fmt: skip
    assert all(getattr(cell, name) is None for cell in held for name in numbers)
    rows = table(out / "estimates.csv")
    for row in rows:
        if row["status"] != "show":
            assert all(row[name] == "" for name in numbers), row
    for cell in json.loads((out / "estimates.json").read_text(encoding="utf-8"))["cells"]:
        if cell.get("status", "show") != "show":
            assert set(cell) <= {"indicator", "domain", "category", "status", "reasons"}


def test_an_x_does_not_say_on_which_side_people_are_few(found, out):
    reasons = {cell.reasons for cell in found.cells if cell.status == "x"}
    reasons |= {one.reasons for one in found.contrasts if one.status == "x"}
    assert reasons == {("confidential",)}
    everything = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert b"complementary" not in everything


def test_no_x_is_a_sum_or_difference_of_figures_shown(found, measured, weighted):
    for unit in ("household", "person"):
        arrays = measured.persons if unit == "person" else measured.households
        weight = weighted.design(unit).weight

        def vector(cell, arrays=arrays, weight=weight):
            has = np.nan_to_num(arrays[having(cell.indicator)]) * (arrays[inside(cell.indicator)] == 1)
            return weight * has * (arrays[f"domain {cell.domain}"] == cell.category if cell.domain else 1)

        cells = [cell for cell in found.cells if found.indicator(cell.indicator).unit == unit]
        few = [
            cell
            for cell in cells
            if cell.status == "x" and 0 < np.count_nonzero(vector(cell)) < found.plan.release.minimum_cell
        ]
        shown = np.stack([vector(cell) for cell in cells if cell.status == "show"], axis=1)
        shown = shown / np.linalg.norm(shown, axis=0)
        wanted = np.stack([vector(cell) for cell in few], axis=1)
        left = wanted - shown @ np.linalg.lstsq(shown, wanted, rcond=None)[0]
        revealed = np.linalg.norm(left, axis=0) <= 1e-6 * np.linalg.norm(wanted, axis=0)
        assert [cell for cell, yes in zip(few, revealed, strict=True) if yes] == []


def test_answers_of_one_mode_are_never_called_estimates(found, out):
    rows = [row for row in table(out / "estimates.csv") if row["domain"] == "mode"]
    assert rows
    assert all(
        row["kind"].startswith("not_an_estimate: ") and not row["se"] and not row["lower"] for row in rows
    )
    unweighted = next(one for one in found.contrasts if (one.indicator, one.mode) == ("EPAY_ANY_ALL", ""))
    web = next(one for one in found.contrasts if (one.indicator, one.mode) == ("EPAY_ANY_ALL", "self"))
    assert web.value > found.cell("EPAY_ANY_ALL").upper, "the trap this tool exists for"
    assert unweighted.n == found.cell("EPAY_ANY_ALL").n


def test_the_same_frozen_files_give_the_same_bytes(village, frozen, out, found, tmp_path):
    release(village.folder, frozen, tmp_path, TRUTH)
    first = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    second = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_the_weighting_report_stands_beside_the_figures(found, out):
    report = json.loads((out / "weighting.json").read_text(encoding="utf-8"))
    assert [step["step"] for step in report["steps"]] == [step.step for step in found.plan.weighting]
    assert report["synthetic"] is True
    outcomes = report["outcomes"]
    assert sum(outcomes["counts"].values()) == found.design["households"] == 960
    assert 0.5 < outcomes["rates"]["RR3"] < 1
    assert outcomes["rates"]["RR1"] <= outcomes["rates"]["RR3"] <= outcomes["rates"]["RR5"]


def test_a_release_says_what_it_was_made_of(village, frozen, found):
    manifest = read_manifest(frozen)
    assert found.frozen == {name: file.sha256 for name, file in manifest.files.items()}
    assert found.questionnaire_version == village.folder.questionnaire.version
    assert found.folder == village.folder.hash


def test_a_frozen_file_that_changed_is_not_released(village, frozen, tmp_path):
    copy = shutil.copytree(frozen, tmp_path / "frozen")
    with (copy / "households.parquet").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(Conflict):
        release(village.folder, copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_only_a_synthetic_population_has_a_truth(village, frozen, tmp_path):
    copy = shutil.copytree(frozen, tmp_path / "frozen")
    manifest = msgspec.structs.replace(read_manifest(copy), synthetic=False)
    (copy / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    with pytest.raises(NotReleased, match="not synthetic"):
        release(village.folder, copy, tmp_path / "out", TRUTH)
    real = release(village.folder, copy, tmp_path / "out")
    assert not real.synthetic
    pages = (tmp_path / "out" / "site").rglob("*.html")
    assert all("SYNTHETIC" not in page.read_text(encoding="utf-8") for page in pages)


@pytest.mark.parametrize(
    "numerator",
    [
        "(SELECT count(*) FROM read_csv('/etc/hostname')) > 0",
        "no_such_column = 'yes'",
        "true) FROM read_text('/etc/hostname'",
    ],
)
def test_an_expression_reads_the_frozen_columns_and_nothing_else(village, frozen, tmp_path, numerator):
    plan = village.folder.analysis
    first = replace(plan.indicators[0], numerator=numerator)
    folder = replace(village.folder, analysis=replace(plan, indicators=(first, *plan.indicators[1:])))
    with pytest.raises(NotReleased):
        release(folder, frozen, tmp_path / "out")


def test_text_in_a_label_cannot_become_a_formula(village, frozen, tmp_path):
    plan = village.folder.analysis
    trap = Domain(
        id="trap", name={"vi": "Bẫy", "en": "Trap"}, value="sex", unit="person",
        labels={"female": {"vi": "=1+1", "en": "@cmd"}, "male": {"vi": "+2", "en": "-3"}},
    )  # fmt: skip
    folder = replace(
        village.folder, analysis=replace(plan, domains=(trap,), indicators=plan.indicators[:1], targets=())
    )
    release(folder, frozen, tmp_path / "out")
    for path in (tmp_path / "out").rglob("*.csv"):
        for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")):
            assert not [cell for cell in row if cell[:1] in "=+@" and cell], path


def test_the_terminal_says_verdicts_in_both_languages_beside_the_truth(found):
    console = Console(record=True, width=110, file=io.StringIO())
    show(found, console)
    said = console.export_text()
    for words in (
        "SỐ LIỆU MÔ PHỎNG",
        "SYNTHETIC DATA",
        "Kết luận",
        "Verdict",
        "70,0%",
        "∉",
        "chỉ hỏi",
        "online",
    ):
        assert words in said
    assert "Đủ bằng chứng để kết luận" in said


@pytest.mark.usefixtures("found")
def test_a_reader_of_the_files_cannot_work_out_any_figure_held_back(village, out, measured, weighted):
    """The attack by linear programming on what was published, of every indicator: every x keeps an interval as wide as
    ten respondents."""
    published = attack.read(out / "estimates.csv")
    communes = {area["code"]: area["group"] for area in village.folder.areas}
    numerators: dict[str, list[str]] = {}
    for indicator in village.folder.analysis.indicators:
        numerators.setdefault(indicator.numerator, []).append(indicator.id)
    typical = weighted.persons.weight[weighted.persons.weight > 0].mean()
    attacked, narrow = 0, {}
    for family in numerators.values():
        rows = [row for row in published if row["indicator"] in family]
        unit = next(one.unit for one in village.folder.analysis.indicators if one.id == family[0])
        arrays, weight = getattr(measured, f"{unit}s"), weighted.design(unit).weight
        totals = {}
        for row in rows:
            here = arrays[inside(row["indicator"])] == 1
            if row["domain"]:
                here = here & (arrays[f"domain {row['domain']}"] == row["category"])
            totals[row["indicator"], row["domain"], row["category"]] = float(weight[here].sum())
        links = [("EPAY_ANY_ALL", "EPAY_ANY_15P")] if "EPAY_ANY_15P" in family else []
        found = attack.intervals(rows, communes, links, totals)
        attacked += len(found)
        narrow |= {
            place: (low, high)
            for place, (low, high, most) in found.items()
            if most > 0 and high - low < min(most, 10 * typical) * 0.5
        }
    assert attacked > 500
    assert narrow == {}


@pytest.mark.usefixtures("found")
def test_the_attack_can_succeed(village, out):
    """The same reader finds a figure when only one of its table is held back."""
    rows = [row for row in attack.read(out / "estimates.csv") if row["indicator"] == "EPAY_ANY_ALL"]
    rows = [row for row in rows if row["domain"] in ("", "sex")]
    held = next(row for row in rows if row["category"] == "female")
    secret = float(held["having"])
    held["status"] = "x"
    ((low, high, _),) = attack.intervals(rows, {}, [], {}).values()
    assert low == pytest.approx(secret, rel=1e-6)
    assert high == pytest.approx(secret, rel=1e-6)


def test_a_second_release_is_numbered_names_its_changes_and_takes_nothing_back(
    village, frozen, out, tmp_path
):
    plan = replace(
        village.folder.analysis, domains=village.folder.analysis.domains[:3], indicators=village.folder.analysis.indicators[:3],
        targets=village.folder.analysis.targets[:2],
    )  # fmt: skip
    folder = replace(village.folder, analysis=plan)
    release(folder, frozen, tmp_path / "first", key=tmp_path / "office.pem")
    other_rows = replace(plan.microdata, minimum=40)
    wider = replace(
        folder, analysis=replace(plan, domains=village.folder.analysis.domains[:4], microdata=other_rows)
    )
    second = release(
        wider, frozen, tmp_path / "second", previous=[tmp_path / "first"], embargo="2027-12-20T09:00+07:00"
    )
    assert (second.number, second.embargo) == (2, "2027-12-20T09:00+07:00")
    assert second.previous == manifest_hash(tmp_path / "first")
    assert {one.kind for one in second.changes} == {"new"}, "what was told stays told"
    assert "20/12/2027" in (tmp_path / "second" / "site" / "index.html").read_text("utf-8")
    assert table(tmp_path / "second" / "changes.csv")
    for name in ("first", "second"):
        verify(tmp_path / name)
    assert (tmp_path / "first" / "persons.csv").is_file()
    assert second.rows_of == 1, "two files of rows side by side would tell more than one"
    assert not (tmp_path / "second" / "persons.csv").exists()
    assert "Số liệu vi mô của lần công bố 1" in (tmp_path / "second" / "site" / "files.html").read_text(
        "utf-8"
    )
    with pytest.raises(NotReleased, match="number 2 and follows another"):
        release(wider, frozen, tmp_path / "third", previous=[tmp_path / "second"])
    with pytest.raises(NotReleased, match="zone"):
        release(folder, frozen, tmp_path / "third", embargo="tomorrow")


def test_two_rounds_stand_side_by_side_where_both_show_a_figure_defined_in_the_same_words(
    village, frozen, tmp_path
):
    whole = village.folder.analysis
    plan = replace(
        whole, domains=whole.domains[:4], indicators=whole.indicators[:3], targets=whole.targets[:1]
    )
    folder = replace(village.folder, analysis=plan)
    dates = msgspec.structs.replace(folder.plan.dates, reference="2025-04-01")
    other = [replace(plan.indicators[0], universe="age >= 6"), *plan.indicators[1:]]
    then = replace(plan, indicators=tuple(other), weighting=plan.weighting[:-1])  # and so with other figures
    earlier = replace(
        folder,
        plan=msgspec.structs.replace(folder.plan, dates=dates),
        analysis=then,
    )
    before = release(earlier, frozen, tmp_path / "then")
    now = release(folder, frozen, tmp_path / "now", rounds=[tmp_path / "then"])

    ((one,), changed) = now.rounds, {row.indicator for row in now.trends}
    assert (one.reference, one.manifest) == ("2025-04-01", manifest_hash(tmp_path / "then"))
    assert one.otherwise == (plan.indicators[0].id,), "asked of others then"
    both = {id for id in ("EPAY_ANY_15P", "ACC_15P") if now.cell(id).value and before.cell(id).value}
    assert changed == both == {"EPAY_ANY_15P"}, "what one of the two holds back has no change"
    for row in now.trends:
        new, old = (each.cell(row.indicator, row.domain, row.category) for each in (now, before))
        assert row.change == pytest.approx(new.value - old.value)
        assert row.se == pytest.approx((new.se**2 + old.se**2) ** 0.5)
        assert row.lower < row.change < row.upper
    hidden = [cell for cell in [*now.cells, *before.cells] if cell.status != "show"]
    compared = {(row.indicator, row.domain, row.category) for row in now.trends}
    assert not compared & {(cell.indicator, cell.domain, cell.category) for cell in hidden}
    assert len(table(tmp_path / "now" / "trend.csv")) == len(now.trends)
    for page in ("site", "site/en"):
        text = (tmp_path / "now" / page / "indicator-EPAY_ANY_15P.html").read_text("utf-8")
        assert ("01/04/2025" in text) == (page == "site")
        assert ("1 April 2025" in text) == (page == "site/en")
        assert "trend.csv" in text
    verify(tmp_path / "now")

    with pytest.raises(NotReleased, match="not before this round"):
        release(folder, frozen, tmp_path / "never", rounds=[tmp_path / "now"])
    with pytest.raises(NotReleased, match="twice"):
        release(folder, frozen, tmp_path / "never", rounds=[tmp_path / "then", tmp_path / "then"])


@pytest.fixture(scope="module")
def small(village, frozen):
    """One indicator by sex, its figures, and a function that makes those of another breakdown of the same sample."""
    whole = village.folder.analysis
    tables = [pq.ParquetFile(frozen / f"{name}.parquet").read() for name in ("households", "persons")]
    manifest = read_manifest(frozen)
    few = sorted(tables[1]["case"].to_pylist())[:3]

    def made(*values: str, before=(), sample=None):
        domains = tuple(Domain(id=f"d{place}", name={"vi": "x", "en": "x"}, value=value, unit="person")
                        for place, value in enumerate(values))  # fmt: skip
        plan = replace(whole, domains=domains, indicators=whole.indicators[:1], targets=whole.targets[:1],
                       small_areas=(), derived=whole.derived)  # fmt: skip
        folder = replace(village.folder, analysis=plan)
        measured = evaluate(*tables, plan)
        weighted = weigh(measured.households, measured.persons, plan, read_totals(folder))
        return figures(folder, manifest, measured, weighted, {}, before), measured

    return (
        made,
        "sex",
        f"CASE WHEN sex = 'female' AND \"case\" NOT IN {tuple(few)} THEN 'female' ELSE 'male' END",
    )


def test_two_breakdowns_by_nearly_the_same_line_are_not_both_shown(small):
    """The women of the one less those of the other are the women of three households."""
    made, sex, nearly = small
    alone, _ = made(nearly)
    assert {one.status for one in alone.table("EPAY_ANY_ALL", "d0")} == {"show"}
    both, _ = made(sex, nearly)
    assert {one.status for one in both.table("EPAY_ANY_ALL", "d0")} == {"show"}
    assert {one.status for one in both.table("EPAY_ANY_ALL", "d1")} == {"x"}


def test_what_an_earlier_release_told_by_another_line_is_counted_as_known(small):
    made, sex, nearly = small
    first, measured = made(nearly)
    assert {one.status for one in first.table("EPAY_ANY_ALL", "d0")} == {"show"}
    second, _ = made("'all'", sex, before=[Earlier(first, measured)])
    assert {one.status for one in second.table("EPAY_ANY_ALL", "d1")} == {"x"}
    assert second.cell("EPAY_ANY_ALL").status == "show", "what the resolution asks for"


def test_every_earlier_release_counts_and_not_the_last_alone(small):
    """The first showed women with three respondents fewer, the second nothing of them."""
    made, sex, _ = small
    now, _ = made(sex)
    other = msgspec.structs.replace(now, frozen={"persons.parquet": "another"})

    def with_women(change) -> Earlier:
        cells = [change(one) if one.category == "female" else one for one in other.cells]
        return Earlier(msgspec.structs.replace(other, cells=tuple(cells)))

    fewer = with_women(lambda one: msgspec.structs.replace(one, n=one.n - 3))
    silent = with_women(
        lambda one: Cell(indicator=one.indicator, domain=one.domain, category=one.category, status="x")
    )
    assert made(sex, before=[silent])[0].cell("EPAY_ANY_ALL", "d0", "female").status == "show"
    assert made(sex, before=[silent, fewer])[0].cell("EPAY_ANY_ALL", "d0", "female").status == "x"


def test_one_household_that_took_its_answers_back_does_not_show_in_the_unweighted_share(small):
    made, sex, _ = small
    now, _ = made(sex)

    def earlier(came: int, had: int) -> Earlier:
        before = msgspec.structs.replace(now, frozen={"persons.parquet": "another"}, cells=())
        told = [
            msgspec.structs.replace(one, n=one.n - came, value=(round(one.value * one.n) - had) / (one.n - came))
            if not one.mode else one for one in now.contrasts
        ]  # fmt: skip
        return Earlier(msgspec.structs.replace(before, contrasts=tuple(told)))

    def status(came: int, had: int) -> str:
        found, _ = made(sex, before=[earlier(came, had)])
        return next(one.status for one in found.contrasts if not one.mode)

    assert status(0, 0) == "show"
    assert status(1, 1) == "x"
    assert status(0, 1) == "x", "one answer was changed"
    assert status(40, 38) == "x", "two of forty who came have none"
    assert status(40, 20) == "show"


def test_a_release_that_would_tell_of_a_few_respondents_of_the_whole_is_not_made(small):
    made, sex, _ = small
    now, _ = made(sex)
    cells = [msgspec.structs.replace(one, n=one.n + 2) if not one.domain else one for one in now.cells]
    before = msgspec.structs.replace(now, cells=tuple(cells), frozen={"persons.parquet": "another"})
    with pytest.raises(NotReleased, match="fewer than 10 respondents came to or left EPAY_ANY_ALL"):
        made(sex, before=[Earlier(before)])


def test_a_few_late_answers_do_not_show_in_two_releases_side_by_side(village, frozen, tmp_path, measured):
    """The release before had the same group with three respondents fewer: the group is held back."""
    plan = replace(
        village.folder.analysis, domains=village.folder.analysis.domains[:3], indicators=village.folder.analysis.indicators[:1],
        targets=village.folder.analysis.targets[:1],
    )  # fmt: skip
    folder = replace(village.folder, analysis=plan)
    now = release(folder, frozen, tmp_path / "now")
    told = now.cell("EPAY_ANY_ALL", "sex", "female")
    assert told.n is not None
    cells = [msgspec.structs.replace(one, n=one.n - 3) if one is told else one for one in now.cells]
    earlier = msgspec.structs.replace(now, cells=tuple(cells), frozen={"persons.parquet": "another"})
    weighted = weigh(measured.households, measured.persons, plan, read_totals(folder))
    found = figures(folder, read_manifest(frozen), measured, weighted, {}, [Earlier(earlier)])
    assert found.cell("EPAY_ANY_ALL", "sex", "female").status == "x"
    assert found.cell("EPAY_ANY_ALL", "sex", "male").status == "x", "or it would follow"
