"""Proves that places are classified by a command, from a list of answers or a frozen survey, and never get a verdict."""

from __future__ import annotations

import csv
import io

import pytest

from analysis.classification import lqas, sequential
from survey.classify import Heard, NotClassified, Question, by_lots, check, heard_of, one_by_one, read_answers
from survey.cli import main
from survey.problems import BadDocument

HALF = Question(low=0.5, high=0.65, alpha=0.05, beta=0.2)


def answers(path, rows: list[str], header: str = "place,has"):
    path.write_text("\ufeff" + "\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_a_lot_classifies_only_when_exactly_the_planned_people_were_asked(tmp_path):
    plan = HALF.lot()
    rows = [f"{place},{int(number < having)}" for place, having, n in
            (("A", plan.least, plan.n), ("B", plan.least - 1, plan.n), ("C", plan.n - 1, plan.n - 1)) for number in range(n)]  # fmt: skip
    found = by_lots(HALF, read_answers(answers(tmp_path / "a.csv", rows)))
    assert [(one.place, one.outcome, one.why) for one in found] == [
        ("A", "high", ""), ("B", "low", ""), ("C", "undecided", "number"),
    ]  # fmt: skip


def test_a_lot_of_clusters_wants_clusters_of_one_size(tmp_path):
    clustered = Question(low=0.4, high=0.6, alpha=0.1, beta=0.1, take=5, correlation=0.1)
    n = clustered.lot().n
    rows = [f"A,1,k{number // 5}" for number in range(n)] + [f"B,1,k{number // 6}" for number in range(n)]
    a, b = by_lots(clustered, read_answers(answers(tmp_path / "a.csv", rows, "place,has,cluster")))
    assert (a.outcome, a.having) == ("high", n)
    assert (b.outcome, b.why) == ("undecided", "clusters")


def test_the_sequential_class_is_that_of_the_first_crossing(tmp_path):
    said = [1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]
    rows = [f"A,{one}" for one in said] + ["B,1", "B,0"]
    a, b = one_by_one(HALF, read_answers(answers(tmp_path / "a.csv", rows)))
    wanted = sequential(said, 0.5, 0.65, 0.05, 0.2)
    assert (
        (a.outcome, a.standing.looked_at) == (wanted.outcome, wanted.looked_at) == ("high", wanted.looked_at)
    )
    assert wanted.looked_at < len(said)
    assert (b.outcome, b.why) == ("undecided", "evidence")


def test_every_mistake_of_the_answers_is_named(tmp_path):
    path = answers(tmp_path / "a.csv", ["A,1", "A,yes", ",1", "B,"])
    with pytest.raises(BadDocument) as bad:
        read_answers(path)
    assert [one.where for one in bad.value.findings] == [f"a.csv, row {row}" for row in (3, 4, 5)]
    with pytest.raises(BadDocument, match="no rows"):
        read_answers(answers(tmp_path / "b.csv", []))
    with pytest.raises(BadDocument, match="cannot be read"):
        read_answers(tmp_path / "none.csv")


def test_a_frozen_survey_gives_one_observation_for_each_area(closed_round):
    village, frozen = closed_round
    heard = heard_of(village.folder, frozen, "ACC_15P")
    areas = {unit.psu for unit in village.units}
    assert 0.9 * len(areas) < sum(len(one.observations) for one in heard.values()) <= len(areas)
    assert all(0.0 <= share <= 1.0 for one in heard.values() for share in one.observations)
    assert max(len(one.observations) for one in heard.values()) < 3, "few areas a commune: few are decided"
    with pytest.raises(NotClassified, match="ACC_15P"):
        heard_of(village.folder, frozen, "NONE")


def test_a_household_indicator_counts_each_household_of_an_area_alike(closed_round):
    village, frozen = closed_round
    for one in heard_of(village.folder, frozen, "HH6").values():
        for share, n in zip(one.observations, one.people, strict=True):
            assert share * n == pytest.approx(round(share * n)), "chances are the same within an area"


def test_the_command_says_it_in_both_languages_and_writes_what_was_declared(tmp_path, capsys):
    path = answers(tmp_path / "a.csv", ["10525,1"] * 40 + ["10526,0"] * 40)
    call = ["classify", "--low", "0.5", "--high", "0.65", "--sequential", "--answers", str(path), "--out", str(tmp_path / "o.csv")]  # fmt: skip
    assert main(call) == 0
    said = capsys.readouterr().out
    assert "không phải kết luận về mục tiêu" in " ".join(said.split())
    assert "neither an estimate nor a verdict" in " ".join(said.split())
    rows = list(csv.DictReader(io.StringIO((tmp_path / "o.csv").read_text("utf-8"))))
    assert [(row["place"], row["class"], row["method"]) for row in rows] == [
        ("10525", "high", "sequential"), ("10526", "low", "sequential"),
    ]  # fmt: skip
    assert {row["note"] for row in rows} == {"classification, not an estimate and not a verdict on a target"}


def test_the_command_alone_plans_a_lot(capsys):
    assert main(["classify", "--low", "0.5", "--high", "0.65", "--beta", "0.2"]) == 0
    assert "69 người" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong",
    [["--low", "0.7", "--high", "0.5"], ["--low", "nan", "--high", "0.5"], ["--low", "0.5", "--high", "0.501"],
     ["--low", "0.5", "--high", "0.6", "--take", "0"], ["--low", "0.5", "--high", "0.6", "--survey", "x", "y"]],
)  # fmt: skip
def test_a_question_that_cannot_be_asked_is_answered_in_words(wrong, capsys):
    assert main(["classify", *wrong]) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 2, "both languages, no traceback"


def test_the_chance_of_calling_high_is_that_of_the_plan():
    plan = lqas(0.4, 0.6, take=5, correlation=0.1)
    assert plan.called_high(0.4) == pytest.approx(plan.alpha)
    assert 1 - plan.called_high(0.6) == pytest.approx(plan.beta)
    assert Heard((1.0, 0.5), (4, 2)).n == 6


def test_every_mistake_of_a_question_is_said_in_both_languages():
    with pytest.raises(NotClassified) as refused:
        check(Question(low=0.5, high=0.4, alpha=0.7, beta=0.2, take=0))
    for language in ("vi", "en"):
        said = refused.value.message[language]
        assert [option in said for option in ("--low", "--alpha", "--take")] == [True] * 3
    assert "between" not in refused.value.message["vi"]
    with pytest.raises(NotClassified, match=r"--alpha|Cần quá nhiều người"):
        Question(low=0.5, high=0.5001, alpha=0.01, beta=0.01).lot()
