"""Proves that the results site shows what the release holds and nothing that is held back, in both languages,
from any folder, without script or outside request."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from analysis.indicators import AnalysisPlan, Domain, Indicator, ReleaseRules, Step, Target
from survey.publication.results import Cell, Contrast, Decision, Outcomes, Release, StepReport
from survey.publication.site import build
from survey.publication.views import Mark, _chart_csv
from survey.publication.voice import LANGUAGES, Voice, _words
from survey.spreadsheet import csv_bytes


def indicator(
    id: str, vi: str, en: str, out_of: tuple[str, str], unit="person", source="SDG 8.10.2"
) -> Indicator:
    return Indicator(
        id=id,
        name={"vi": vi, "en": en},
        unit=unit,
        universe="age >= 15",
        numerator="bank OR wallet OR mobile_money",
        denominator={"vi": out_of[0], "en": out_of[1]},
        source=source,
        edition="2025",
        reference_period={"vi": "tại thời điểm phỏng vấn", "en": "at the time of the interview"},
    )


EVERYONE = ("toàn bộ dân số, mọi lứa tuổi", "the whole population, all ages")
ADULTS = ("dân số từ 15 tuổi trở lên", "the population aged 15 and over")
TEXT = {
    "vi": "Tỷ lệ dân số có tài khoản thanh toán điện tử đạt trên 50%.",
    "en": "More than 50% of the population hold an electronic payment account.",
}
PLAN = AnalysisPlan(
    id="example",
    weighting=(Step(step="base"), Step(step="nonresponse"), Step(step="selection", unit="person"),
               Step(step="rake", unit="person")),
    indicators=(
        indicator("EPAY_ANY", "Tỷ lệ dân số có tài khoản thanh toán điện tử, mọi lứa tuổi",
                  "Share of the population of all ages with an electronic payment account", EVERYONE),
        indicator("EPAY_ANY_15P", "Tỷ lệ người từ 15 tuổi trở lên có tài khoản thanh toán điện tử",
                  "Share of people aged 15 and over with an electronic payment account", ADULTS),
        indicator("SMARTPHONE_15P", "Tỷ lệ người từ 15 tuổi trở lên dùng điện thoại thông minh",
                  "Share of people aged 15 and over who use a smartphone", ADULTS, source="ITU HH10"),
        indicator("HH_INTERNET", "Tỷ lệ hộ có Internet tại nhà", "Share of households with Internet access at home",
                  ("toàn bộ số hộ", "all households"), unit="household", source="ITU HH6"),
    ),
    targets=(
        Target(id="epay", text=TEXT, instrument="Nghị quyết 06-NQ/TU, 26/3/2021", due="2025-12-31",
               indicator="EPAY_ANY", comparison=">", threshold=0.5),
        Target(id="epay-15", text=TEXT, instrument="Nghị quyết 06-NQ/TU, 26/3/2021", due="2025-12-31",
               indicator="EPAY_ANY_15P", comparison=">", threshold=0.5, means=False),
        Target(id="phones", text={"vi": "80% dân số trưởng thành có điện thoại thông minh.",
                                  "en": "80% of the adult population have a smartphone."},
               instrument="411/QĐ-TTg, 31/3/2022", due="2025-12-31", indicator="SMARTPHONE_15P", comparison=">=",
               threshold=0.8),
    ),
    domains=(
        Domain(id="urban_rural", name={"vi": "Thành thị, nông thôn", "en": "Urban and rural"}, value="urban_rural"),
        Domain(id="sex", name={"vi": "Giới tính", "en": "Sex"}, value="sex", unit="person"),
        Domain(id="age", name={"vi": "Nhóm tuổi", "en": "Age group"}, value="age_group", unit="person"),
        Domain(id="commune", name={"vi": "Xã, phường", "en": "Commune"}, value="commune"),
    ),
    release=ReleaseRules(),
)  # fmt: skip
NAMES = {
    "urban_rural": {"urban": {"vi": "Thành thị", "en": "Urban"}, "rural": {"vi": "Nông thôn", "en": "Rural"}},
    "sex": {"female": {"vi": "Nữ", "en": "Women"}, "male": {"vi": "Nam", "en": "Men"}},
    "age": {
        "0-14": {"vi": "Dưới 15 tuổi", "en": "Under 15"},
        "15-24": {"vi": "15–24", "en": "15–24"},
        "25-34": {"vi": "25–34", "en": "25–34"},
        "35-54": {"vi": "35–54", "en": "35–54"},
        "55-64": {"vi": "55–64", "en": "55–64"},
        "65+": {"vi": "65 tuổi trở lên", "en": "65 and over"},
    },
    "commune": {f"{10500 + i}": {"vi": f"Xã Thí Dụ {i}", "en": f"Example commune {i}"} for i in range(1, 25)},
}
SHARES = {
    "": 0.512, "urban": 0.604, "rural": 0.474, "female": 0.498, "male": 0.527, "0-14": 0.021, "15-24": 0.702,
    "25-34": 0.811, "35-54": 0.664, "55-64": 0.421, "65+": 0.193,
}  # fmt: skip
SECRET = 0.0213579


def cell(indicator: str, domain: str, category: str, share: float, se: float, n: int) -> Cell:
    return Cell(
        indicator=indicator, domain=domain, category=category, value=share, se=se, lower=share - 2 * se,
        upper=share + 2 * se, kg_lower=share - 2.1 * se, kg_upper=share + 2.1 * se, n=n, effective_n=n / 1.6,
        df=92, deff=1.63, unknown=0.013, having=share * 1_900_000, total=1_900_000.0,
    )  # fmt: skip


def example(synthetic: bool = True) -> Release:
    """A release made by hand, with every kind of row: shown, F, x, flagged, all three verdicts. No one is real."""
    cells: list[Cell] = []
    for one, shift in zip(PLAN.indicators, (0.0, 0.153, 0.31, 0.36), strict=True):
        cells.append(cell(one.id, "", "", min(SHARES[""] + shift, 0.96), 0.0117, 3240))
        for domain, categories in NAMES.items():
            if one.unit == "household" and domain in ("sex", "age"):
                continue
            for position, category in enumerate(categories):
                if domain == "age" and category == "0-14":
                    if one.id == "EPAY_ANY":
                        cells.append(
                            Cell(
                                indicator=one.id,
                                domain=domain,
                                category=category,
                                status="x",
                                reasons=("confidential",),
                            )
                        )
                elif domain == "commune" and position not in (3, 17):
                    cells.append(
                        Cell(
                            indicator=one.id,
                            domain=domain,
                            category=category,
                            status="F" if position % 9 else "x",
                            reasons=("width",) if position % 9 else ("confidential",),
                        )
                    )
                else:
                    share = min(SHARES.get(category, 0.45 + 0.01 * position) + shift * 0.8, 0.97)
                    cells.append(cell(one.id, domain, category, share, 0.019, 800))
    contrasts = [
        Contrast(indicator=one.id, mode=mode, value=min(share + shift, 0.985), n=n)
        for one, shift in zip(PLAN.indicators, (0.0, 0.1, 0.19, 0.2), strict=True)
        for mode, share, n in (("", 0.583, 3240), ("self", 0.781, 1013), ("visit", 0.455, 2227))
    ]
    decisions = (
        Decision(target="epay", indicator="EPAY_ANY", verdict="not_determined", threshold=0.5, comparison=">",
                 alpha=0.05, value=0.512, bound_low=0.4926, bound_high=0.5314, p_met=0.153, p_not_met=0.847, df=92),
        Decision(target="epay-15", indicator="EPAY_ANY_15P", verdict="met", threshold=0.5, comparison=">",
                 alpha=0.05, value=0.665, bound_low=0.6456, bound_high=0.6844, p_met=0.0, p_not_met=1, df=92),
        Decision(target="phones", indicator="SMARTPHONE_15P", verdict="not_met", threshold=0.85, comparison=">=",
                 alpha=0.05, value=0.822, bound_low=0.803, bound_high=0.841, p_met=0.99, p_not_met=0.01, df=92),
    )  # fmt: skip
    weighting = tuple(
        StepReport(step=step.step, unit=step.unit, n=1944, sum=512_345.6, cv=0.31 + 0.1 * i, kish=1.1 + 0.1 * i,
                   smallest=102.3, largest=1_204.9, merged=("rural / web",) if step.step == "nonresponse" else ())
        for i, step in enumerate(PLAN.weighting)
    )  # fmt: skip
    truth = {"EPAY_ANY": {"": 0.5083, "urban_rural=urban": 0.611, "sex=female": 0.493}} if synthetic else {}
    return Release(
        survey="example",
        title={"vi": "Khảo sát xã hội số Hải Dương", "en": "Hải Dương digital society survey"},
        organiser={"vi": "Cục Thống kê (thí dụ)", "en": "Statistics Office (example)"},
        territory={"vi": "64 xã, phường thuộc tỉnh Hải Dương trước đây", "en": "The 64 communes of former Hải Dương"},
        reference="2025-12-31",
        fieldwork=("2025-11-15", "2025-12-31"),
        synthetic=synthetic,
        frozen={"households.parquet": "ab" * 32, "persons.parquet": "cd" * 32},
        folder="ef" * 32,
        questionnaire_version="0123456789abcdef",
        software="survey 0.1.0",
        plan=PLAN,
        design={"strata": 8, "psus": 100, "households": 2400, "communes": 64},
        names=NAMES,
        cells=tuple(cells),
        contrasts=tuple(contrasts),
        decisions=decisions,
        weighting=weighting,
        outcomes=Outcomes(
            complete=1944, counts={"1.1": 1944, "2.11": 156, "2.24": 180, "3.18": 50, "4.60": 70},
            by_mode={"self": 620, "visit": 1324}, rates={"RR3": 0.8331}, weighted_rates={"RR3": 0.8412}, persons=3240,
        ),
        truth=truth,
    )  # fmt: skip


class Page(HTMLParser):
    """What a test asks of a page: its words, links, and whether tags nest as they should."""

    VOID = frozenset({"meta", "link", "br", "line", "rect", "circle", "path", "img", "input"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        named = dict(attributes)
        self.links += [named[name] for name in ("href", "src") if named.get(name)]
        if "id" in named:
            self.ids.append(named["id"])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("site")
    build(
        example(), out, {"estimates.csv": b"indicator\r\n", "estimates.json": b"{}", "weighting.json": b"{}"}
    )
    return out


def page(site: Path, name: str) -> Page:
    return Page((site / name).read_text(encoding="utf-8"))


def test_the_answer_is_one_sentence_and_says_what_is_not_known(site):
    vietnamese, english = page(site, "index.html").text, page(site, "en/index.html").text
    assert "Chưa đủ bằng chứng để kết luận tỷ lệ dân số có tài khoản thanh toán điện tử" in vietnamese
    assert "đã vượt 50% hay chưa" in vietnamese
    assert "There is not enough evidence to say whether" in english
    assert "từ 48,9% đến 53,5%" in vietnamese
    assert "48.9% and 53.5%" in english


def test_both_ways_of_counting_stand_side_by_side_and_the_one_the_text_means_is_marked(site):
    text = page(site, "index.html").text
    assert text.index("Đúng theo văn bản") < text.index("Để so sánh")
    assert "66,5%" in text


def test_the_truth_of_a_synthetic_population_is_told_beside_the_interval(site):
    assert "đáp số: 50,8%. Khoảng ước lượng chứa đáp số này" in page(site, "index.html").text


def test_every_page_of_a_synthetic_round_says_so_and_no_page_of_a_real_one_does(site, tmp_path):
    for path in site.rglob("*.html"):
        assert "SYNTHETIC DATA" in path.read_text(encoding="utf-8")
    build(example(synthetic=False), tmp_path, {})
    for path in tmp_path.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        assert "SYNTHETIC" not in html
        assert "MÔ PHỎNG" not in html
        assert "mô phỏng" not in html


def test_every_table_file_of_a_synthetic_round_says_so(site):
    for path in (site / "data").glob("??/*.csv"):
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
        assert rows
        assert all("MÔ PHỎNG" in row["synthetic"] or "SYNTHETIC" in row["synthetic"] for row in rows)


def test_links_stay_inside_the_folder_and_lead_somewhere(site):
    for path in site.rglob("*.html"):
        found = Page(path.read_text(encoding="utf-8"))
        assert not found.open, "every tag is closed"
        assert len(set(found.ids)) == len(found.ids)
        for link in found.links:
            target, _, fragment = link.partition("#")
            assert not re.match(r"[a-z]+:|/", target), f"{path.name} reaches outside: {link}"
            if target:
                assert (path.parent / target).is_file(), f"{path.name}: {link}"
            elif fragment:
                assert fragment in found.ids


def test_nothing_runs_and_nothing_is_styled_in_place(site):
    for path in site.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        assert "<script" not in html
        assert " style=" not in html
        assert not re.search(r"\son[a-z]+=", html)


def test_a_figure_held_back_is_in_no_file_and_its_reason_is_in_words(site):
    release = example()
    # Nothing to leak by: the value itself has no number where the status is not "show".
    for one in release.cells:
        if one.status != "show":
            assert (one.value, one.se, one.n, one.lower, one.having, one.unknown) == (None,) * 6
    text = page(site, "indicator-EPAY_ANY.html").text
    assert "x · để giữ bí mật cho người trả lời" in text
    rows = csv.DictReader(io.StringIO((site / "data/vi/EPAY_ANY-age.csv").read_text(encoding="utf-8-sig")))
    child = next(row for row in rows if row["category"] == "Dưới 15 tuổi")
    assert (child["percent"], child["n"], child["status"]) == ("", "", "x")


def test_communes_are_published_only_where_the_rules_allow_and_have_no_verdict(site):
    text = page(site, "area-commune.html").text
    assert "2 trên 24 nơi có đủ số liệu" in text
    assert "F · khoảng tin cậy rộng từ 30 điểm % trở lên" in text
    assert "Không nơi nào có kết luận đạt hay chưa đạt" in text


def test_asking_online_only_is_shown_to_be_wrong_and_never_as_an_estimate(site):
    text = page(site, "modes.html").text
    assert "Chỉ hỏi trên mạng sẽ cho con số 78,1% thay vì 51,2%: chênh +26,9 điểm phần trăm" in text
    assert "không phải ước lượng cho dân số" in text
    rows = list(
        csv.DictReader(io.StringIO((site / "data/en/EPAY_ANY-modes.csv").read_text(encoding="utf-8-sig")))
    )
    assert [row["kind"] for row in rows] == ["estimate"] + ["not an estimate of the population"] * 3


def test_every_chart_has_an_alternative_a_table_and_a_file(site):
    html = (site / "indicator-EPAY_ANY.html").read_text(encoding="utf-8")
    assert html.count('role="img"') == html.count("<caption") == html.count(" download ") == 4
    assert 'aria-label="Biểu đồ. ' in html
    assert "Toàn bộ địa bàn: 51,2%, từ 48,9% đến 53,5%" in html
    front = (site / "index.html").read_text(encoding="utf-8")
    assert front.count('role="img"') == front.count("<caption") == front.count(" download ") - 1, (
        "and all indicators"
    )
    assert "data/vi/target-epay.csv" in front


def test_the_method_note_says_what_this_round_did(site):
    text = page(site, "methods.html").text
    for said in (
        "2.400 hộ",
        "100 địa bàn",
        "83,3%",
        "84,1%",
        "3.240 người",
        "2.24 Không có ai ở nhà",
        "512.346",
    ):
        assert said in text
    assert "1,30" in text


def test_a_target_whose_figure_is_held_back_gets_no_verdict(tmp_path):
    release = example()
    cells = tuple(
        Cell(indicator=one.indicator, status="F", reasons=("width",))
        if (one.indicator, one.domain) == ("EPAY_ANY", "")
        else one
        for one in release.cells
    )
    decisions = tuple(one for one in release.decisions if one.target != "epay")
    build(msgspec.structs.replace(release, cells=cells, decisions=decisions), tmp_path, {})
    assert "nên không có kết luận" in page(tmp_path, "index.html").text


def test_the_same_release_gives_the_same_bytes(site, tmp_path):
    build(
        example(),
        tmp_path,
        {"estimates.csv": b"indicator\r\n", "estimates.json": b"{}", "weighting.json": b"{}"},
    )
    first = {path.relative_to(site): path.read_bytes() for path in site.rglob("*") if path.is_file()}
    second = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert first == second


def test_text_from_a_survey_folder_is_text_on_the_page(tmp_path):
    nasty = msgspec.structs.replace(example(), title={"vi": "<script>alert(1)</script>", "en": "a & b"})
    build(nasty, tmp_path, {})
    assert "<script" not in (tmp_path / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("start", list("=+-@\t\r"))
def test_no_cell_of_a_csv_file_runs_as_a_formula(start):
    rows = list(csv.reader(io.StringIO(csv_bytes(["name"], [[f"{start}1+1"]]).decode(), newline="")))
    assert rows[1][0].startswith("'")
    assert csv_bytes(["n"], [[-0.5]]) == b"n\r\n-0.5\r\n", "a number stays a number"


def test_the_file_of_a_chart_has_its_cautions():
    cell = Cell(
        indicator="A",
        value=0.5,
        se=0.1,
        lower=0.3,
        upper=0.7,
        n=43,
        df=2.0,
        flags=("few_degrees_of_freedom",),
    )
    mark = Mark(label="A", cell=cell, notes=("dựa trên ít địa bàn",))
    (row,) = csv.DictReader(
        io.StringIO(_chart_csv([mark], Voice("vi"), False).decode("utf-8-sig"), newline="")
    )
    assert (row["status"], row["note"]) == ("show", "dựa trên ít địa bàn")


def test_numbers_are_written_as_each_language_writes_them():
    vietnamese, english = Voice("vi"), Voice("en")
    assert (vietnamese.percent(0.5123), english.percent(0.5123)) == ("51,2%", "51.2%")
    assert (vietnamese.number(1234567), english.number(1234567)) == ("1.234.567", "1,234,567")
    assert (vietnamese.threshold(0.5), vietnamese.threshold(0.125)) == ("50%", "12,5%")
    assert (vietnamese.points(-0.031), english.points(0.269)) == ("\u22123,1", "+26.9")
    assert (vietnamese.date("2025-12-31"), english.date("2025-12-31")) == ("31/12/2025", "31 December 2025")
    assert vietnamese.date("cuối năm 2025") == "cuối năm 2025"
    assert (vietnamese.inside("Tỷ lệ"), vietnamese.inside("VNeID")) == ("tỷ lệ", "VNeID")


def test_every_word_exists_in_both_languages():
    def walk(found, place=""):
        if set(found) == set(LANGUAGES):
            assert all(isinstance(text, str) and text for text in found.values()), place
            # The same names are filled in, whatever the order.
            assert len({frozenset(re.findall(r"{(\w+)}", text)) for text in found.values()}) == 1, place
        else:
            for key, inner in found.items():
                walk(inner, f"{place}.{key}")

    walk(_words())
