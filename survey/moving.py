"""`survey move-drafts`: unfinished responses go to the corrected questionnaire, and it is said what must be asked again.

After `survey load` of a corrected folder, new responses begin on the new version; those begun before stay on theirs.
This looks at every draft that stands on another version than the current one, and, with `--apply`, moves it. Responses
that were submitted are never moved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from rich.console import Console
from sqlalchemy import Connection

from survey.problems import Conflict, Finding, SurveyError
from survey.questionnaire import routing
from survey.questionnaire.index import index
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Event, fold
from survey.questionnaire.versions import Move, changes, move
from survey.storage import audit, cases, responses, surveys
from survey.storage.database import Database
from survey.storage.responses import ResponseRecord
from survey.web.ids import milliseconds, new_form_id

AUTHOR = "office"


class MovedDraft(Struct, frozen=True, kw_only=True):
    """One draft: what of it must be asked again, is asked for the first time, or is not asked any more."""

    response: str
    case: str
    version: str
    again: tuple[str, ...]
    asked: tuple[str, ...]
    aside: tuple[str, ...]


class Report(Struct, frozen=True, kw_only=True):
    """All drafts of all older versions. `changes`: version → what the current one does otherwise."""

    version: str
    applied: bool
    changes: dict[str, tuple[Finding, ...]]
    drafts: tuple[MovedDraft, ...]


def move_drafts(
    database_url: str, *, ask_again: Sequence[str] = (), apply: bool = False, out: Path | None = None,
    console: Console | None = None,
) -> Report:  # fmt: skip
    """Report on the drafts of older versions, and move them if `apply`; the report is written to `out` as JSON.

    `ask_again` names questions whose answers are asked anew even where they still fit: because their words changed.
    Raises Conflict when no survey was loaded, SurveyError when `ask_again` names something that is not asked.
    """
    with (
        Database.open(database_url) as database,
        database.writing() if apply else database.reading() as connection,
    ):
        report = _report(connection, tuple(ask_again), apply)
    if out is not None:
        out.write_bytes(
            msgspec.json.format(msgspec.json.encode(report, order="deterministic"), indent=1) + b"\n"
        )
    _tell(report, console or Console())
    return report


def _report(connection: Connection, ask_again: Sequence[str], apply: bool) -> Report:
    kept = surveys.current(connection)
    if kept is None:
        raise Conflict({
            "vi": "Cơ sở dữ liệu chưa có cuộc khảo sát nào. Hãy chạy survey load trước.",
            "en": "The database holds no survey yet. Run survey load first.",
        })  # fmt: skip
    unknown = [name for name in ask_again if name not in index(kept.questionnaire).places]
    if unknown:
        raise SurveyError({
            "vi": f"Phiếu hỏi không có câu: {', '.join(unknown)}",
            "en": f"The questionnaire has no question: {', '.join(unknown)}",
        })  # fmt: skip
    older: dict[str, Questionnaire] = {}
    drafts = []
    for record in responses.drafts(connection, kept.version, lock=apply):
        if record.version not in older:
            older[record.version] = surveys.questionnaire(connection, record.version)
        drafts.append(_one(connection, record, older[record.version], kept.questionnaire, ask_again, apply))
    return Report(
        version=kept.version,
        applied=apply,
        changes={version: changes(old, kept.questionnaire) for version, old in older.items()},
        drafts=tuple(drafts),
    )


def _one(
    connection: Connection, record: ResponseRecord, old: Questionnaire, new: Questionnaire, ask_again: Sequence[str],
    apply: bool,
) -> MovedDraft:  # fmt: skip
    response = fold(record.id, responses.events(connection, record.id))
    found = move(old, new, response, ask_again)
    if apply:
        _apply(connection, record, new, found)
    again, asked, aside = (tuple(map(str, keys)) for keys in (found.again, found.asked, found.aside))
    return MovedDraft(
        response=record.id, case=record.case, version=record.version, again=again, asked=asked, aside=aside
    )


def _apply(connection: Connection, record: ResponseRecord, new: Questionnaire, found: Move) -> None:
    unit = cases.existing(connection, record.case).unit
    known = routing.preloaded(new, msgspec.structs.asdict(unit))
    moved = Event(
        id=new_form_id(), response=record.id, kind="moved", at=milliseconds(), author=AUTHOR, mode=record.mode,  # type: ignore[arg-type]
        version=new.version, void=tuple(map(str, found.again)), undone=found.undone,
        answers={str(key): answer for key, answer in known.items()},
    )  # fmt: skip
    responses.move(connection, moved)
    deed = {"from": record.version, "to": new.version, "again": len(found.again), "asked": len(found.asked)}
    audit.append(connection, "cli", "draft moved to another version", f"case:{record.case}", deed)


def _tell(report: Report, console: Console) -> None:
    for version, found in report.changes.items():
        console.print(f"{version} → {report.version}")
        for change in found:
            console.print(f"  {change.message['vi']} · {change.message['en']}", highlight=False)
    again = Counter(key.partition("@")[0] for draft in report.drafts for key in draft.again)
    asked = Counter(key.partition("@")[0] for draft in report.drafts for key in draft.asked)
    for counted, vi, en in (
        (again, "phải hỏi lại", "to be asked again"),
        (asked, "hỏi lần đầu", "asked for the first time"),
    ):
        for name, times in counted.most_common():
            console.print(f"  {name}: {times} {vi} · {en}", highlight=False)
    settled = sum(not draft.again and not draft.asked for draft in report.drafts)
    did_vi, did_en = ("đã chuyển", "moved") if report.applied else ("sẽ chuyển", "to move")
    console.print(
        f"{len(report.drafts)} phiếu dở dang {did_vi}, {settled} phiếu không phải hỏi thêm · "
        f"{len(report.drafts)} drafts {did_en}, {settled} of them with nothing more to ask"
    )
    if report.drafts and not report.applied:
        console.print(
            "Chạy lại với --apply để chuyển. · Run again with --apply to move them.", highlight=False
        )
