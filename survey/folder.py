"""A survey is a folder of data: three files for three readers, read together and checked together.

questionnaire.yaml   what is asked          (household)
survey.yaml          who is asked, and why  (official)
analysis.yaml        what is estimated      (statistician)
areas.csv            the territory: code, name, kind, urban_rural, group, valid_from, valid_to
population.csv       margins for raking: one column a variable, and `total`
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from analysis.indicators import AnalysisPlan
from survey import documents
from survey.documents import Document
from survey.fieldwork.areas import areas as areas_of
from survey.fieldwork.areas import overlapping
from survey.fieldwork.plan import SurveyPlan
from survey.fieldwork.sample import SampledUnit
from survey.problems import BadDocument, Finding, Text
from survey.questionnaire import minors, reading
from survey.questionnaire.codebook import Variable, variables
from survey.questionnaire.index import index
from survey.questionnaire.model import Questionnaire

SAMPLE_COLUMNS = {"case": "VARCHAR", "commune": "VARCHAR", "urban_rural": "VARCHAR", "stratum": "VARCHAR",
                  "psu": "VARCHAR", "mode": "VARCHAR", "interview_date": "DATE", "interview_year": "INTEGER"}  # fmt: skip
PERSON_COLUMNS = {"person": "VARCHAR", "position": "INTEGER", "selected": "BOOLEAN"}
AREA_COLUMNS = ("code", "name", "kind", "urban_rural", "valid_from", "valid_to")


@dataclass(frozen=True)
class Folder:
    """The three plans and the areas, read and found right; `hash` is SHA-256 over the files' bytes."""

    path: Path
    questionnaire: Questionnaire
    plan: SurveyPlan
    analysis: AnalysisPlan
    areas: tuple[dict[str, str], ...]
    hash: str

    @classmethod
    def read(cls, path: Path | str) -> Folder:
        """The folder, or BadDocument with every mistake in it."""
        path = Path(path)
        found = _review(path)
        errors = [finding for finding in found.findings if finding.severity == "error"]
        if errors or not (found.questionnaire and found.plan and found.analysis):
            raise BadDocument(errors)
        return cls(path, found.questionnaire, found.plan, found.analysis, found.areas, _hash(path))


def questionnaire_at(path: Path | str) -> Questionnaire:
    """The questionnaire of a survey folder, or of one file alone; BadDocument with every mistake in it."""
    path = Path(path)
    file = path / "questionnaire.yaml" if path.is_dir() else path
    found = _Found()
    text = _text(found, file)
    if text is None:
        raise BadDocument(found.findings)
    return reading.read(text, file.name)


def read_areas(path: Path) -> tuple[dict[str, str], ...]:
    """The rows of an areas file, which the check of its folder has found right."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return tuple(csv.DictReader(file))


def check(path: Path | str) -> list[Finding]:
    """Every mistake and every doubt in the folder, file by file and between the files."""
    return _review(Path(path)).findings


def write_schemas(out: Path) -> list[Path]:
    """JSON Schemas of the three files; an editor that knows them checks while one types."""
    out.mkdir(parents=True, exist_ok=True)
    kinds = {"questionnaire": Questionnaire, "survey": SurveyPlan, "analysis": AnalysisPlan}
    written = []
    for name, kind in kinds.items():
        path = out / f"{name}.schema.json"
        path.write_bytes(
            msgspec.json.format(msgspec.json.encode(msgspec.json.schema(kind)), indent=2) + b"\n"
        )
        written.append(path)
    return written


def frozen_columns(questionnaire: Questionnaire, unit: str, areas: Iterable[str] = ()) -> dict[str, str]:
    """Name and SQL type of each column of the frozen household or person rows (see survey/frozen.py).

    Person rows carry the columns of their household too.
    """
    columns = {**SAMPLE_COLUMNS, **{name: "VARCHAR" for name in areas if name not in SAMPLE_COLUMNS}}
    if unit == "person":
        columns |= PERSON_COLUMNS
    for variable in variables(questionnaire):
        if variable.level == "household" or unit == "person":
            columns |= _columns_of(variable)
    return columns


def _columns_of(variable: Variable) -> dict[str, str]:
    name = column_name(variable.name)
    reason = {f"{name}__missing": "VARCHAR"}
    match variable.form:
        case "select_many":
            return {f"{name}__{column_name(choice.code)}": "BOOLEAN" for choice in variable.choices} | reason
        case "integer" | "year":
            return {name: "BIGINT"} | reason
        case "decimal":
            return {name: "DOUBLE"} | reason
        case "acknowledge":
            return {name: "BOOLEAN"} | reason
        case "date":
            return {name: "DATE"} | reason
        case _:
            return {name: "VARCHAR"} | reason


def column_name(variable: str) -> str:
    """A variable's name as a column: "please specify" texts have a dot, columns an underscore."""
    return re.sub(r"[^A-Za-z0-9_]", "_", variable)


def bind(columns: dict[str, str], expressions: dict[str, str]) -> dict[str, str]:
    """What DuckDB says against each expression over these columns, by name; sound ones are left out.

    Each sound expression becomes a column that later ones may use. Nothing is read from disk or network.
    """
    return _bind(columns, expressions, {})[1]


def _bind(
    columns: dict[str, str], derived: dict[str, str], others: dict[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """SQL type of each sound expression, and what is wrong with each other one. Only derived ones become columns."""
    types: dict[str, str] = {}
    problems: dict[str, str] = {}
    import duckdb  # a fifth of a second, which processes that bind nothing need not wait

    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as database:
        listed = ", ".join(f"{_quoted(name)} {kind}" for name, kind in columns.items())
        try:
            database.execute(f"CREATE TABLE t ({listed})")
        except (
            duckdb.Error
        ) as error:  # columns of areas.csv without a name, or with one that is there already
            return {}, dict.fromkeys((*derived, *others), str(error).split("\n")[0])
        for name, expression in (*derived.items(), *others.items()):
            try:
                if ";" in expression or "--" in expression:
                    raise duckdb.ParserException("one expression, no “;” and no “--”")
                described = database.execute(f"DESCRIBE SELECT ({expression}) AS x FROM t").fetchall()
                if len(described) != 1:
                    raise duckdb.ParserException("one value, not several")
                types[name] = described[0][1]
                if name in derived:
                    database.execute(f"ALTER TABLE t ADD COLUMN {_quoted(column_name(name))} {types[name]}")
            except duckdb.Error as error:
                problems[name] = str(error).split("\n")[0]
    return types, problems


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# --- one review of everything --------------------------------------------------------------------------------------


class _Found:
    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.questionnaire: Questionnaire | None = None
        self.plan: SurveyPlan | None = None
        self.analysis: AnalysisPlan | None = None
        self.areas: tuple[dict[str, str], ...] = ()
        self.documents: dict[str, Document] = {}

    def say(
        self, code: str, where: str, vi: str, en: str, do: Text | None = None, severity: str = "error"
    ) -> None:
        self.findings.append(
            Finding(code=code, where=where, message={"vi": vi, "en": en}, remedy=do or {}, severity=severity)
        )


def _review(path: Path) -> _Found:
    found = _Found()
    text = _text(found, path / "questionnaire.yaml")
    if text is not None:
        found.questionnaire, findings = reading.review(text, "questionnaire.yaml")
        found.findings += findings
    found.plan = _typed(found, path / "survey.yaml", SurveyPlan)
    found.analysis = _typed(found, path / "analysis.yaml", AnalysisPlan)
    if found.questionnaire:
        _preloads(found)
    if found.plan:
        _plan(found, path)
        if found.questionnaire:
            _minors(found)
            _agreed(found)
    if found.analysis:
        _analysis(found)
        if found.questionnaire:
            _expressions(found)
        _margins(found, path)
    return found


def _preloads(found: _Found) -> None:
    """What is shown of the sample must be something the sample has."""
    assert found.questionnaire is not None
    known = [field.name for field in msgspec.structs.fields(SampledUnit)]
    for section in found.questionnaire.sections:
        for question in (question for page in section.pages for question in page.questions):
            if question.column is not None and question.column not in known:
                found.say("no_column", f"questionnaire.yaml, {question.id}", f"mẫu không có cột “{question.column}”",
                          f"the sample has no column “{question.column}”",
                          {"vi": "có: " + ", ".join(known), "en": "it has: " + ", ".join(known)})  # fmt: skip


def _text(found: _Found, path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:  # a name that is too long or no name at all is no file either
        if isinstance(error, UnicodeDecodeError):
            found.say("not_utf8", path.name, "tệp không ở dạng UTF-8", "the file is not UTF-8",
                      {"vi": "lưu lại với bảng mã UTF-8", "en": "save it as UTF-8"})  # fmt: skip
            return None
        found.say("no_file", path.name, "không có tệp này", "the file is not there",
                  {"vi": f"tạo {path}", "en": f"create {path}"})  # fmt: skip
    return None


def _typed(found: _Found, path: Path, kind: type) -> object:  # type: ignore[type-arg]
    text = _text(found, path)
    if text is None:
        return None
    try:
        document = documents.load(text, path.name)
        found.documents[path.name] = document
        return documents.convert(document, kind)
    except BadDocument as bad:
        found.findings += bad.findings
        return None


def _plan(found: _Found, path: Path) -> None:
    plan, document = found.plan, found.documents["survey.yaml"]
    assert plan is not None
    dates = [plan.dates.web_opens, plan.dates.visits_open, plan.dates.closes]
    for name in ("reference", "web_opens", "visits_open", "closes"):
        try:
            datetime.date.fromisoformat(getattr(plan.dates, name))
        except ValueError:
            found.say("not_date", document.where(("dates", name)), f"{name}: không phải ngày (năm-tháng-ngày)",
                      f"{name}: not a date (YYYY-MM-DD)")  # fmt: skip
    if dates != sorted(dates):
        found.say("dates", document.where(("dates",)), "ngày mở, ngày đến nhà và ngày đóng không theo thứ tự",
                  "web_opens, visits_open and closes are not in order")  # fmt: skip
    for kind, words in (("title", plan.title), ("organiser", plan.organiser), ("helpline", plan.helpline),
                        ("promise", plan.promise)):  # fmt: skip
        for language in plan.languages:
            if words and not words.get(language, "").strip():
                found.say("no_translation", document.where((kind,)), f"{kind}: thiếu lời “{language}”",
                          f"{kind}: the text in “{language}” is missing")  # fmt: skip
    gaps = {("organiser",): plan.organiser, ("helpline",): plan.helpline, ("legal", "decision"): plan.legal.decision,
            ("legal", "controller"): plan.legal.controller, ("legal", "contact"): plan.legal.contact}  # fmt: skip
    for place, words in gaps.items():
        said = place[-1]
        if any("[" in text for text in words.values()):
            found.say("placeholder", document.where(place),
                      f"{said}: còn chỗ trống [...] cơ quan chủ trì phải điền",
                      f"{said}: a placeholder [...] is left for the organiser to fill in", severity="warning")  # fmt: skip
    if found.questionnaire and found.questionnaire.id != plan.id:
        found.say("ids", document.where(("id",)), f"id “{plan.id}” khác với questionnaire.yaml",
                  f"the id “{plan.id}” differs from questionnaire.yaml")  # fmt: skip
    if found.questionnaire:
        asked = {
            q.id for section in found.questionnaire.sections for page in section.pages for q in page.questions
        }
        named = (
            (("back_checks", "questions"), plan.back_checks.questions), (("sufficient",), plan.sufficient)
        )  # fmt: skip
        for place, names in named:
            for number, name in enumerate(names):
                if name not in asked:
                    found.say("unknown_name", document.where((*place, number)),
                              f"không có câu hỏi “{name}”", f"there is no question “{name}”")  # fmt: skip
    if not 0 <= plan.back_checks.share <= 1:
        found.say("share", document.where(("back_checks", "share")), "share phải nằm giữa 0 và 1 (5 % viết 0.05)",
                  "share must lie between 0 and 1 (write 5 % as 0.05)")  # fmt: skip
    elif not 0.05 <= plan.back_checks.share <= 0.1:
        found.say("share", document.where(("back_checks", "share")),
                  "hỏi lại thường lấy 5 đến 10 % số phiếu phỏng vấn (0.05 đến 0.1)",
                  "back-checks usually take 5 to 10 % of the interviews (0.05 to 0.1)", severity="warning")  # fmt: skip
    _areas(found, path / plan.territory.areas)


def _agreed(found: _Found) -> None:
    """What the survey rests on is asked wherever answers are given: by the page of consent at home, by a question elsewhere."""
    assert found.questionnaire is not None
    assert found.plan is not None
    legal, document = found.plan.legal, found.documents["survey.yaml"]
    asked = {
        q.id: q for section in found.questionnaire.sections for page in section.pages for q in page.questions
    }
    codes = index(found.questionnaire)
    elsewhere = [mode for mode in found.plan.modes if mode != "self"]
    for number, one in enumerate(legal.purposes):
        where = document.where(("legal", "purposes", number))
        if legal.purposes[:number] and one.id in [other.id for other in legal.purposes[:number]]:
            found.say(
                "doubled", where, f"mục đích “{one.id}” có hai lần", f"the purpose “{one.id}” is there twice"
            )
        for language in found.plan.languages:
            if not one.text.get(language, "").strip():
                found.say("no_translation", where, f"mục đích “{one.id}”: thiếu lời “{language}”",
                          f"purpose “{one.id}”: the text in “{language}” is missing")  # fmt: skip
        if one.question and (
            one.question not in asked
            or one.agrees not in {choice.code for choice in codes.choices(asked[one.question])}
        ):
            found.say(
                "unknown_name", where,
                f"mục đích “{one.id}”: không có câu hỏi “{one.question}” với lựa chọn “{one.agrees}”",
                f"purpose “{one.id}”: there is no question “{one.question}” with an option “{one.agrees}”",
            )  # fmt: skip
        elif one in legal.needed and elsewhere and not one.question:
            found.say(
                "no_consent", where,
                f"mục đích “{one.id}” cần sự đồng ý, nhưng không câu hỏi nào hỏi ý kiến khi cán bộ phỏng vấn ({', '.join(elsewhere)})",
                f"the purpose “{one.id}” rests on consent, and no question asks for it where an official interviews ({', '.join(elsewhere)})",
                {"vi": "thêm một câu hỏi vào phiếu và ghi tên câu đó ở question của mục đích",
                 "en": "add a question to the questionnaire and name it as `question` of the purpose"},
            )  # fmt: skip


def _minors(found: _Found) -> None:
    """Whoever is younger than the plan's minimum age is not asked without a parent or guardian."""
    assert found.questionnaire is not None
    assert found.plan is not None
    age = found.plan.legal.minimum_age
    for draw in minors.unasked(found.questionnaire, age):
        found.say(
            "minors", found.documents["survey.yaml"].where(("legal", "minimum_age")),
            f"“{draw}” có thể chọn người chưa đủ {age} tuổi mà không câu hỏi nào hỏi ý kiến cha mẹ hoặc người giám hộ",
            f"“{draw}” can choose somebody under {age}, and no question asks whether a parent or guardian agrees",
            {"vi": "sửa điều kiện eligible, hoặc thêm một câu hỏi có when theo tuổi và một checks cứng",
             "en": "change eligible, or add a question with a `when` by age and a hard check"},
        )  # fmt: skip


def _areas(found: _Found, path: Path) -> None:
    text = _text(found, path)
    if text is None or found.plan is None:
        return
    rows = list(csv.DictReader(io.StringIO(text)))
    header = list(rows[0]) if rows else []
    lacking = [name for name in AREA_COLUMNS if name not in header]
    for name in lacking:
        found.say(
            "no_column", f"{path.name}, row 1", f"thiếu cột “{name}”", f"the column “{name}” is missing"
        )
    for name in found.plan.sampling.strata:
        if name not in header:
            found.say("strata", found.documents["survey.yaml"].where(("sampling", "strata")),
                      f"“{name}” không có trong {path.name}, nên dàn mẫu phải có cột này",
                      f"“{name}” is not in {path.name}, so the frame must have it", severity="warning")  # fmt: skip
    seen: set[tuple[str, str]] = set()
    lengths = {len(row.get("code") or "") for row in rows}
    for number, row in enumerate(rows, start=2):
        where = f"{path.name}, row {number}"
        key = (row.get("code") or "", row.get("valid_from") or "")
        if key in seen:
            found.say("twice", where, f"mã {key[0]} bị trùng", f"the code {key[0]} stands twice for one date")
        seen.add(key)
        if None in row.values() or None in row:
            found.say(
                "columns",
                where,
                "số ô không khớp với dòng đầu",
                "the number of cells differs from the header",
            )
        elif len(lengths) > 1 and len(row.get("code") or "") < max(lengths):
            found.say("leading_zeros", where, f"mã “{row['code']}” ngắn hơn các mã khác: mất số 0 ở đầu?",
                      f"the code “{row['code']}” is shorter than the others: leading zeros lost?")  # fmt: skip
    found.areas = tuple({key: value or "" for key, value in row.items() if key} for row in rows)
    for earlier, later in [] if lacking else overlapping(areas_of(found.areas)):
        found.say("overlap", path.name, f"mã {earlier.code} cùng lúc là {earlier.name} và {later.name}",
                  f"the code {earlier.code} means {earlier.name} and {later.name} at the same time",
                  {"vi": "sửa valid_from, valid_to", "en": "correct valid_from, valid_to"})  # fmt: skip


def _analysis(found: _Found) -> None:
    plan, document = found.analysis, found.documents["analysis.yaml"]
    assert plan is not None
    for kind in ("indicators", "targets", "domains"):
        seen: set[str] = set()
        for number, item in enumerate(getattr(plan, kind)):
            if item.id in seen:
                found.say("twice", document.where((kind, number, "id")), f"mã “{item.id}” bị trùng",
                          f"the id “{item.id}” stands twice")  # fmt: skip
            seen.add(item.id)
    _registry(found)
    known = {indicator.id for indicator in plan.indicators}
    for number, target in enumerate(plan.targets):
        where = document.where(("targets", number))
        if target.indicator not in known:
            found.say("unknown_name", document.where(("targets", number, "indicator")),
                      f"không có chỉ tiêu “{target.indicator}”", f"there is no indicator “{target.indicator}”")  # fmt: skip
        if not 0 < target.threshold < 1:
            found.say("threshold", where, "ngưỡng phải nằm giữa 0 và 1 (50 % viết 0.5)",
                      "the threshold must lie between 0 and 1 (write 50 % as 0.5)")  # fmt: skip
        if not 0 < target.alpha < 0.5:
            found.say("alpha", where, "alpha phải nằm giữa 0 và 0.5", "alpha must lie between 0 and 0.5")
    domains = {domain.id for domain in plan.domains}
    for number, area in enumerate(plan.small_areas):
        for name, there in ((area.indicator, area.indicator in known), (area.domain, area.domain in domains)):
            if not there:
                found.say("unknown_name", document.where(("small_areas", number)), f"không có “{name}”",
                          f"there is no “{name}”")  # fmt: skip
        for name in area.by:
            if name not in domains:
                found.say("unknown_name", document.where(("small_areas", number, "by")), f"không có nhóm phân tổ “{name}”",
                          f"there is no domain “{name}”")  # fmt: skip
        if bool(area.census) != bool(area.by) or (area.publish == "unit" and not area.census):
            found.say("census", document.where(("small_areas", number)),
                      "mô hình ở cấp từng người cần cả census (tệp) và by (các nhóm phân tổ)",
                      "the model of single people needs both census (a file) and by (domains)")  # fmt: skip
    if not plan.weighting or plan.weighting[0].step != "base":
        found.say("weighting", document.where(("weighting",)), "bước gia quyền đầu tiên phải là base",
                  "the first weighting step must be base")  # fmt: skip


def _registry(found: _Found) -> None:
    """Bounds of age and of validity of each indicator mean something, on the day that the figures are about."""
    plan, document = found.analysis, found.documents["analysis.yaml"]
    assert plan is not None
    for number, one in enumerate(plan.indicators):
        first, last = one.ages.first, one.ages.last
        if (first, last) != (None, None) and one.unit == "household":
            found.say("ages", document.where(("indicators", number, "ages")), f"{one.id}: hộ không có tuổi",
                      f"{one.id}: a household has no age")  # fmt: skip
        if any(age is not None and not 0 <= age <= 130 for age in (first, last)) or (
            first is not None and last is not None and first > last
        ):
            found.say("ages", document.where(("indicators", number, "ages")),
                      f"{one.id}: ages là tuổi đầu và tuổi cuối, từ 0 đến 130, ví dụ {{first: 15}}",
                      f"{one.id}: ages is a first and a last age, from 0 to 130, for example {{first: 15}}")  # fmt: skip
        sound = True
        for name in ("valid_from", "valid_to"):
            try:
                if getattr(one, name):
                    datetime.date.fromisoformat(getattr(one, name))
            except ValueError:
                sound = False
                found.say("not_date", document.where(("indicators", number, name)), f"{name}: không phải ngày (năm-tháng-ngày)",
                          f"{name}: not a date (YYYY-MM-DD)")  # fmt: skip
        if sound and found.plan and not one.in_force(found.plan.dates.reference):
            day = found.plan.dates.reference
            found.say("not_valid", document.where(("indicators", number)),
                      f"{one.id}: định nghĩa không còn (hoặc chưa) hiệu lực vào ngày {day} mà số liệu nói đến",
                      f"{one.id}: the definition is not in force on {day}, the day the figures are about",
                      {"vi": "dùng định nghĩa đang có hiệu lực, hoặc sửa valid_from, valid_to",
                       "en": "use the definition in force, or correct valid_from, valid_to"})  # fmt: skip


def _expressions(found: _Found) -> None:
    """Every expression of the plan means something over the columns the questionnaire will fill."""
    plan, document, questionnaire = found.analysis, found.documents["analysis.yaml"], found.questionnaire
    assert plan is not None
    assert questionnaire is not None
    areas = [name for name in (found.areas[0] if found.areas else {}) if name not in ("code", "name")]
    for unit in ("person", "household"):
        columns = frozen_columns(questionnaire, unit, areas)
        parts: dict[str, tuple[documents.Path, str]] = {}
        for number, indicator in enumerate(plan.indicators):
            if indicator.unit == unit:
                for part, sql in (
                    ("universe", indicator.asked(plan.age)),
                    ("numerator", indicator.numerator),
                ):
                    where: documents.Path = ("indicators", number, part)
                    parts[f"{indicator.id}, {part}"] = (where, sql)
        for number, domain in enumerate(plan.domains):
            if domain.unit in (unit, "both"):
                parts[f"{domain.id}, {unit}"] = (("domains", number, "value"), domain.value)
        types, problems = _bind(columns, plan.derived, {name: sql for name, (_, sql) in parts.items()})
        for name, problem in problems.items():
            if name in parts:
                found.say("sql", document.where(parts[name][0]), f"{name}: {problem}", f"{name}: {problem}")
            elif unit == "person":  # a derived person variable is no mistake among the household columns
                found.say(
                    "sql", document.where(("derived", name)), f"{name}: {problem}", f"{name}: {problem}"
                )
        for name, (path, _) in parts.items():
            if path[0] == "indicators" and types.get(name, "BOOLEAN") != "BOOLEAN":
                found.say("not_boolean", document.where(path), f"{name}: phải là điều kiện đúng/sai, không phải {types[name]}",
                          f"{name}: must be true or false, not {types[name]}")  # fmt: skip


def _margins(found: _Found, path: Path) -> None:
    plan, document = found.analysis, found.documents["analysis.yaml"]
    assert plan is not None
    beside = [
        (("small_areas", number), name)
        for number, area in enumerate(plan.small_areas)
        for name in (area.auxiliaries, area.census)
        if name
    ]
    beside += [(("administrative",), plan.administrative)] if plan.administrative else []
    for place, name in beside:
        if not (path / name).is_file():
            found.say("no_file", document.where(place), f"chưa có tệp “{name}”, phần này sẽ để trống",
                      f"the file “{name}” is not there yet; this part stays empty", severity="warning")  # fmt: skip
    for number, step in enumerate(plan.weighting):
        if step.step != "rake":
            continue
        where = document.where(("weighting", number))
        if not step.totals or not (path / step.totals).is_file():
            found.say(
                "no_file",
                where,
                f"không có tệp tổng thể “{step.totals}”",
                f"there is no file “{step.totals}”",
            )
            continue
        rows = list(csv.DictReader(io.StringIO((path / step.totals).read_text(encoding="utf-8-sig"))))
        header = list(rows[0]) if rows else []
        for name in sorted({name for margin in step.margins for name in margin} | {"total"}):
            if name not in header:
                found.say(
                    "no_column",
                    f"{step.totals}, row 1",
                    f"thiếu cột “{name}”",
                    f"the column “{name}” is missing",
                )
        for line, row in enumerate(rows, start=2):
            if not re.fullmatch(r"\d+(\.\d+)?", row.get("total") or ""):
                found.say("not_number", f"{step.totals}, row {line}, column total", "không phải số dương",
                          "not a positive number")  # fmt: skip


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path.iterdir()):
        if file.suffix in (".yaml", ".csv"):
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
