"""Whatever is put into a file or a batch, only this project's own errors come out: no traceback, no bomb, no foreign file.

Honest documents are cut, doubled and salted with what breaks parsers, by hypothesis; bombs are given as they are.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar.exceptions import ClientException
from openpyxl import Workbook

from survey import documents
from survey.fieldwork.areas import areas, as_of
from survey.fieldwork.frame import read_frame, read_listing
from survey.folder import Folder, check
from survey.frozen import read_manifest
from survey.loading import read_sample
from survey.problems import BadDocument, Conflict, SurveyError
from survey.publication.maps import outlines
from survey.questionnaire import reading
from survey.spreadsheet import text_of
from survey.web.sync import UNPACKED_LIMIT, read_batch
from survey.xlsform.importing import import_form
from tests.test_loading import write_sample

HAIDUONG = Path(__file__).parents[1] / "questionnaires" / "haiduong-digital-society"
CORPUS = Path(__file__).parent / "questionnaire" / "corpus" / "valid"
PLAN = Folder.read(HAIDUONG)
COMMUNES = as_of(areas(PLAN.areas), PLAN.plan.territory.as_of)
SALT = (
    "\0", "\ufeff", "\u202e", "\ud7ff", "\x1b[2J", "'", '"', "`", "{", "}", "[", "]", "[[[[", ":", "- ", "? ", "| \n", "> \n",
    "&a ", "*a", "<<: *a", "!!python/object/apply:os.system [id]", "!x ", "%TAG", "---\n", "...\n", "#", "\n", "\r", "\t", ",",
    "9" * 5000, "-1", "1e999", ".nan", "null", "~", "true", "2027-13-45", "${", "${x", "${ }", "((((((((", "not(", " and ",
    "=1+1", "selected(", "<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>", "&y;", "&lt;", "é", "Ệ", "😀", "𝟙",
)  # fmt: skip
"""What breaks parsers: ends of texts, markers of YAML, numbers without end, conditions that stop, entities."""
TIMES = int(os.environ.get("FUZZ_TIMES", "1"))
"""How many times more inputs: `make soak` sets it, and takes other ones each time."""
FEW = settings(
    max_examples=60 * TIMES,
    deadline=None,
    database=None,
    derandomize=TIMES == 1,
    suppress_health_check=list(HealthCheck),
)


@st.composite
def spoiled(draw: st.DrawFn, honest: str) -> str:
    """An honest text after a few deeds of somebody careless or hostile."""
    text = honest
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        to = min(len(text), at + draw(st.integers(0, 60)))
        deed = draw(st.sampled_from(("salt", "cut", "double", "end", "write")))
        if deed == "salt":
            text = text[:at] + draw(st.sampled_from(SALT)) + text[at:]
        elif deed == "cut":
            text = text[:at] + text[to:]
        elif deed == "double":
            text = text[:to] + text[at:]
        elif deed == "end":
            text = text[:at]
        else:
            text = text[:at] + draw(st.text(max_size=20)) + text[to:]
    return text


def survives(parse: Callable[[], object]) -> None:
    """It is read, or refused with words for a person in both languages."""
    said = {"vi": "read", "en": "read"}
    try:
        parse()
    except SurveyError as error:
        said = error.message
    assert all(said[language].strip() for language in ("vi", "en"))


# --- YAML ----------------------------------------------------------------------------------------------------------


@FEW
@given(st.data())
def test_a_spoiled_questionnaire_is_read_or_refused(data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(sorted(CORPUS.glob("*.yaml"))))
    text = data.draw(spoiled(file.read_text(encoding="utf-8")))
    survives(lambda: reading.read(text, file.name))


@pytest.mark.parametrize("name", ["survey.yaml", "analysis.yaml", "areas.csv"])
@settings(FEW, max_examples=12 * TIMES)
@given(data=st.data())
def test_a_spoiled_survey_folder_is_checked_to_the_end(
    data: st.DataObject, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = Path(shutil.copytree(HAIDUONG, tmp_path_factory.mktemp("folder") / "survey"))
    (folder / "questionnaire.yaml").write_bytes((CORPUS / "select_one.yaml").read_bytes())
    text = data.draw(spoiled((HAIDUONG / name).read_text(encoding="utf-8")))
    (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    survives(lambda: check(folder))


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
        ),
        "a: &a [*a]",
        "[" * 100_000,
        "{a: " * 20_000,
        "? [a, b]\n: c",
        "a: !!python/object/apply:os.system [id]",
        "a: !!binary aaaa",
        "<<: {a: 1}",
        "x" * (documents.LARGEST + 1),
        "id: " + "9" * 100_000,
    ],
    ids=["billion laughs", "itself", "nested lists", "nested groups", "a list as key", "python", "tag", "merge", "large", "number"],
)  # fmt: skip
def test_a_bomb_of_yaml_is_refused(text: str) -> None:
    with pytest.raises(SurveyError):
        reading.read(text)


# --- tables --------------------------------------------------------------------------------------------------------

FRAME = "ea,commune,households,urban_rural\n" + "".join(
    f"EA{n:03},{code},{100 + n},{area.urban_rural}\n"
    for n, (code, area) in enumerate(sorted(COMMUNES.items())[:30])
)
LISTING = "ea,household,address,hamlet\n" + "".join(
    f"EA{n % 5:03},H{n},Số {n},Thôn Đông\n" for n in range(40)
)


@FEW
@given(spoiled(FRAME), spoiled(LISTING))
def test_a_spoiled_frame_or_listing_is_read_or_refused(frame: str, listing: str) -> None:
    survives(lambda: read_frame(frame, "frame.csv", PLAN.plan, COMMUNES))
    areas_drawn = {f"EA{n:03}" for n in range(5)}
    survives(lambda: read_listing(listing, "listing.csv", PLAN.plan.frame, areas_drawn, areas_drawn))


@FEW
@given(data=st.data())
def test_a_spoiled_sample_is_read_or_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("sample")
    path = write_sample(folder, range(6)) / "sample.csv"
    spoilt = data.draw(spoiled(path.read_text(encoding="utf-8")))
    path.write_bytes(spoilt.encode("utf-8", "surrogatepass"))
    survives(lambda: list(read_sample(path)))


# --- maps ----------------------------------------------------------------------------------------------------------

MAP = json.dumps(
    {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"code": f"1050{n}"},
         "geometry": {"type": "Polygon", "coordinates": [[[106 + n, 20], [107 + n, 20], [107 + n, 21], [106 + n, 20]]]}}
        for n in range(3)
    ]}
)  # fmt: skip


@FEW
@given(spoiled(MAP))
def test_a_spoiled_map_is_drawn_or_refused(text: str) -> None:
    survives(lambda: outlines(text.encode("utf-8", "surrogatepass")))


@pytest.mark.parametrize("text", ["[" * 100_000, "1e999", '{"features": [{}]}', "\xff", ""])
def test_what_is_no_map_is_refused(text: str) -> None:
    with pytest.raises(SurveyError):
        outlines(text.encode("latin-1"))


# --- files of a release --------------------------------------------------------------------------------------------


def test_a_file_that_a_spreadsheet_saved_otherwise_is_named_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "communes.csv"
    for content in ("xã".encode("utf-16"), "Hải Dương".encode("cp1258", "replace") + b"\xff"):
        file.write_bytes(content)
        with pytest.raises(BadDocument, match=r"communes\.csv.*UTF-8"):
            text_of(file)
    file.write_bytes("\ufeffcategory\n".encode())
    assert text_of(file) == "category\n"
    with pytest.raises(BadDocument, match=r"none\.csv"):
        text_of(tmp_path / "none.csv")


@pytest.mark.parametrize("content", [None, b"", b"[]", b"\xff", b'{"files": 1}'])
def test_what_is_no_frozen_sample_is_refused(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(Conflict, match="survey freeze"):
        read_manifest(tmp_path)


# --- workbooks -----------------------------------------------------------------------------------------------------

TEXT = st.sampled_from(
    ("text", "select_one yn", "select_multiple yn", "begin_group", "end_group", "begin_repeat", "end_repeat", "calculate",
     "integer", "note", "geopoint", "image", "name", "label", "type", "q1", "q 1", "q1", "${q1}", "${q2} > 3", "${", "(((",
     "yes", "field-list", "list_name", "relevant", "=1+1", "<b>&x;", "9" * 400, "label::vi", "label::English (en)", "\u202e", "")
) | st.text(max_size=12)  # fmt: skip
CELLS = st.lists(st.lists(TEXT | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none(), max_size=5), max_size=7)  # fmt: skip


@FEW
@given(survey=CELLS, choices=CELLS, honest=st.booleans())
def test_any_workbook_is_imported_or_refused(
    survey: list[list[object]],
    choices: list[list[object]],
    honest: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "survey"
    if honest:
        sheet.append(["type", "name", "label", "relevant", "calculation"])
    for row in survey:
        sheet.append([_cell(one) for one in row])
    other = book.create_sheet("choices")
    if honest:
        other.append(["list_name", "name", "label"])
    for row in choices:
        other.append([_cell(one) for one in row])
    path = tmp_path_factory.mktemp("book") / "form.xlsx"
    book.save(path)
    survives(lambda: import_form(path))


def _cell(value: object) -> object:
    """What a spreadsheet can hold: control characters cannot be written."""
    return "".join(one for one in value if one >= " ") if isinstance(value, str) else value


def _honest_book() -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "survey"
    sheet.append(["type", "name", "label"])
    sheet.append(["text", "q1", "Câu hỏi"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


HONEST_BOOK = _honest_book()


@FEW
@given(data=st.data())
def test_damaged_bytes_of_a_workbook_are_refused_or_read(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(HONEST_BOOK)
    if data.draw(st.booleans()):  # the archive itself
        for _ in range(data.draw(st.integers(1, 20))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    else:  # a part of it
        with zipfile.ZipFile(io.BytesIO(HONEST_BOOK)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        name = data.draw(st.sampled_from(sorted(parts)))
        text = data.draw(spoiled(parts[name].decode("utf-8")))
        parts[name] = text.encode("utf-8", "surrogatepass")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for one, part in parts.items():
                archive.writestr(one, part)
        content = bytearray(packed.getvalue())
    path = tmp_path_factory.mktemp("book") / "form.xlsx"
    path.write_bytes(content)
    survives(lambda: import_form(path))


# --- batches of events ---------------------------------------------------------------------------------------------

EVENT = {
    "id": "e1", "response": "r1", "kind": "answered", "sequence": 1, "at": 1, "author": "household:x", "mode": "self",
    "answers": {"a": "x", "b": 1}, "page": "p",
}  # fmt: skip
BATCH = json.dumps({"events": [EVENT, EVENT | {"id": "e2"}], "attempts": [{"id": "a1", "case": "x"}]})


def takes(body: bytes, *, packed: bool) -> bool:
    """Whether the batch is taken; what is no batch is refused whole, never half taken."""
    try:
        items = read_batch(body, packed=packed)
    except ClientException:
        return False
    assert all(item.raw and item.hash for item in items), "what cannot be read is kept as it came"
    return True


@settings(FEW, max_examples=300 * TIMES)
@given(spoiled(BATCH), st.booleans())
def test_a_spoiled_batch_is_taken_or_refused_whole(text: str, packed: bool) -> None:
    body = text.encode("utf-8", "surrogatepass")
    takes(_packed(body) if packed else body, packed=packed)


@settings(FEW, max_examples=300 * TIMES)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_taken_or_refused(body: bytes, packed: bool) -> None:
    takes(body, packed=packed)


def test_a_batch_that_unpacks_to_a_bomb_is_refused() -> None:
    assert takes(_packed(BATCH.encode()), packed=True)
    assert not takes(_packed(b'{"events":[' + b" " * (UNPACKED_LIMIT * 4) + b"]}"), packed=True)
    assert not takes(b'{"events":' + b"[" * 100_000, packed=False)


def _packed(body: bytes) -> bytes:
    packing = zlib.compressobj(wbits=31)
    return packing.compress(body) + packing.flush()
