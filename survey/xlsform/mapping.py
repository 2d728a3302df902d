"""From pyxform's tree to a Questionnaire: which page, roster or section each part of a form becomes.

A group at the top is a section, a group shown at once (`field-list`, `table-list`) is a page, any other question has a
page of its own, as in Collect. A repeat is a roster: with `repeat_count` its rows are counted, without it people add
them on a list page. Relevance of groups becomes `when` of pages, and inside a page `when` of questions.

Nothing is dropped in silence: what has no counterpart is noted with its cell (fidelity.py), and what would change the
meaning of the form is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from survey.problems import Text
from survey.questionnaire.model import Page, Question, Questionnaire, Roster, Section
from survey.xlsform.context import Context, Element, free, identifier, row_of
from survey.xlsform.fidelity import Cell
from survey.xlsform.questions import Asked, Questions

Path = tuple[str | int, ...]
MOST_ROWS = 100


@dataclass
class _Screen:
    """A page on its way to a section; `relevant` are the conditions of the groups around it."""

    id: str
    row: int
    each: str
    title: Text
    relevant: tuple[str, ...]
    asked: list[Asked]
    lists: str = ""

    def asks(self) -> bool:
        return any(one.question.kind not in ("note", "calculate") for one in self.asked)

    def page(self) -> Page:
        return Page(
            id=self.id, kind="list" if self.lists else "questions", title=self.title, when=_all(self.relevant),
            roster=self.lists or None, each=self.each or None,
            questions=tuple(msgspec.structs.replace(one.question, when=_all(one.relevant)) for one in self.asked),
        )  # fmt: skip


@dataclass(frozen=True)
class _Place:
    """Where in the form the walk is: the conditions of the groups around, their title, the roster they stand in."""

    relevant: tuple[str, ...] = ()
    title: Text = field(default_factory=dict)
    roster: str = ""


class Mapped(Struct, frozen=True):
    """The questionnaire, and the sheet and row that each part (a path as in questionnaire.yaml) comes from."""

    questionnaire: Questionnaire
    rows: Mapping[Path, tuple[str, int]]


class Form:
    """A form being mapped, section by section."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.questions = Questions(context)
        self.rosters: list[Roster] = []
        self.repeats: dict[str, int] = {}  # roster → its row
        self.rows: dict[Path, tuple[str, int]] = {}
        self.page_ids: set[str] = set()

    def map(self) -> Mapped:
        context, tree = self.context, self.context.tree
        self._note_settings()
        sections = self._sections()
        choices = {name: self.questions.choices(name) for name in sorted(context.filtered)}
        for name in choices:
            self.rows |= {
                ("choices", name, c): ("choices", row_of(option))
                for c, option in enumerate(context.lists[name])
            }
        rosters = sorted(self.rosters, key=lambda roster: bool(roster.within))
        self.rows |= {("rosters", r): ("survey", self.repeats[roster.id]) for r, roster in enumerate(rosters)}
        questionnaire = Questionnaire(
            id=identifier(str(tree.get("id_string") or "form")).lower(),
            title=self._title(),
            languages=tuple(code for code, _ in context.languages),
            sections=sections,
            rosters=tuple(rosters),
            choices=choices,
            edition=str(tree.get("version") or ""),
        )
        return Mapped(questionnaire, self.rows)

    def _title(self) -> Text:
        context = self.context
        return context.text(context.tree, "title", "settings") or dict.fromkeys(
            (code for code, _ in context.languages), "Phiếu"
        )

    # --- sections and pages ----------------------------------------------------------------------------------------

    def _sections(self) -> tuple[Section, ...]:
        sections: list[Section] = []
        taken: set[str] = set()
        loose: list[Element] = []

        def add(name: str, row: int, title: Text, screens: list[_Screen]) -> None:
            if not screens:
                return
            self.rows["sections", len(sections)] = ("survey", row)
            for p, screen in enumerate(screens):
                path: Path = ("sections", len(sections), "pages", p)
                self.rows[path] = ("survey", screen.row)
                self.rows |= {
                    (*path, "questions", q): ("survey", one.row) for q, one in enumerate(screen.asked)
                }
            pages = tuple(screen.page() for screen in screens)
            sections.append(Section(id=free(identifier(name), taken), title=title, pages=pages))

        def close() -> None:
            add("part", 0, self._title(), self._screens(loose, _Place()))
            loose.clear()

        for child in self.context.tree.get("children", ()):
            if child.get("type") != "group":
                loose.append(child)
            elif child.get("name") != "meta":
                close()
                title = self.context.text(child, "label") or self._title()
                place = self._inside(child, _Place())
                add(str(child["name"]), row_of(child), title, self._group(child, place))
        close()
        if not sections:
            self.context.notes.say("refused", "empty", Cell("survey"), "phiếu không có câu hỏi nào nhập được",
                                   "the form has no question that can be imported")  # fmt: skip
        return tuple(sections)

    def _inside(self, group: Element, place: _Place) -> _Place:
        """The place inside a group; what a group has and a page has not is noted."""
        context = self.context
        if group.get("hint"):
            context.notes.say("left_out", "group_hint", context.cell(group, "hint"), "gợi ý của nhóm: Collect cũng không hiện",
                              "the hint of a group: Collect shows none either")  # fmt: skip
        for medium, value in (group.get("media") or {}).items():
            context.notes.say("left_out", "media", context.cell(group, f"media::{medium}"), f"{medium} của nhóm",
                              f"the {medium} of a group", found=str(value))  # fmt: skip
        if group["control"].get("intent") or group.get("intent"):
            context.notes.say("refused", "intent", context.cell(group, "intent"), "nhóm do ứng dụng khác điền: chưa hỗ trợ",
                              "a group filled in by another application is not supported")  # fmt: skip
        relevant = (*place.relevant, *context.relevant(group, place.roster))
        return _Place(relevant, context.text(group, "label") or place.title, place.roster)

    def _group(self, group: Element, place: _Place) -> list[_Screen]:
        at_once = {"field-list", "table-list"} & set(str(group["control"].get("appearance") or "").split())
        return self._at_once(group, place) if at_once else self._screens(group["children"], place)

    def _screens(self, children: list[Element], place: _Place) -> list[_Screen]:
        """The pages of what is not shown at once. What is only computed joins the page that follows it."""
        screens: list[_Screen] = []
        waiting: list[Asked] = []

        def close() -> None:
            if waiting:
                screens.append(
                    self._screen(f"{waiting[-1].question.id}_page", waiting[-1].row, place, waiting)
                )
                waiting.clear()

        for child in children:
            if child.get("type") == "repeat":
                close()
                screens += self._repeat(child, place)
            elif child.get("type") == "group":
                close()
                screens += self._group(child, self._inside(child, place))
            elif child.get("type") == "loop":
                self.questions.of(child, place.roster)
            else:
                found = self.questions.of(child, place.roster)
                waiting += found
                if any(one.question.kind != "calculate" for one in found):
                    close()
        close()
        return screens

    def _at_once(self, group: Element, place: _Place) -> list[_Screen]:
        """One page. A repeat inside has pages of its own, between what stands before and after it."""
        screens: list[_Screen] = []
        asked: list[Asked] = []

        def close() -> None:
            if asked:
                screens.append(self._screen(f"{group['name']}_page", row_of(group), place, asked))
                asked.clear()

        def take(children: list[Element], inner: _Place) -> None:
            own = inner.relevant[len(place.relevant) :]
            for child in children:
                if child.get("type") == "repeat":
                    close()
                    screens.extend(self._repeat(child, inner))
                elif child.get("type") == "group":
                    take(child["children"], self._inside(child, inner))
                else:
                    asked.extend(
                        Asked(one.question, one.row, (*own, *one.relevant))
                        for one in self.questions.of(child, inner.roster)
                    )

        take(group["children"], place)
        close()
        return screens

    def _screen(self, name: str, row: int, place: _Place, asked: list[Asked]) -> _Screen:
        ident = free(identifier(name), self.page_ids)
        return _Screen(ident, row, place.roster, place.title, place.relevant, list(asked))

    # --- repeats ---------------------------------------------------------------------------------------------------

    def _repeat(self, repeat: Element, place: _Place) -> list[_Screen]:
        context = self.context
        ident = context.known.ids[str(repeat["name"])]
        self.repeats[ident] = row_of(repeat)
        if place.roster and context.home.get(place.roster):
            context.notes.say("refused", "too_deep", context.cell(repeat, "type"), "lặp trong lặp sâu quá hai bậc",
                              "a repeat in a repeat in a repeat: rosters are two deep at most")  # fmt: skip
        inside = self._inside(repeat, place)
        title = context.text(repeat, "label") or dict.fromkeys(
            (code for code, _ in context.languages), str(repeat["name"])
        )
        count = self._count(repeat, inside.relevant)
        screens = self._group(repeat, _Place(inside.relevant, place.title, ident))
        if not screens:
            if not context.notes.of("refused"):
                context.notes.say("left_out", "empty_repeat", context.cell(repeat, "type"), "phần lặp này không hỏi gì",
                                  "a repeat that asks nothing")  # fmt: skip
            return []
        if not self._inside_of(ident, screens):
            screens.insert(0, self._numbered(repeat, ident, title, inside.relevant))
        if not repeat["control"].get("jr:count"):
            screens = self._listing(repeat, ident, title, inside.relevant, place, screens)
        self.rosters.append(
            Roster(id=ident, label=title, name=self._naming(ident, screens), minimum=0, maximum=MOST_ROWS,
                   within=place.roster or None, count=count)
        )  # fmt: skip
        return screens

    def _count(self, repeat: Element, relevant: tuple[str, ...]) -> str | None:
        context = self.context
        said = str(repeat["control"].get("jr:count") or "")
        if not said:
            return None
        cell = context.cell(repeat, "repeat_count")
        computed = re.fullmatch(r"\$\{\s*(.*?)\s*\}", said)
        if computed and computed.group(1) not in context.known.ids:
            said = context.columns.value(cell) or said  # pyxform has put a calculate in its place
        counted = context.expression(said, repeat, cell, context.home[context.known.ids[str(repeat["name"])]])
        conditions = _all(relevant)
        return f"if({conditions}, {counted}, 0)" if counted and conditions else counted

    def _listing(
        self,
        repeat: Element,
        ident: str,
        title: Text,
        relevant: tuple[str, ...],
        place: _Place,
        screens: list[_Screen],
    ) -> list[_Screen]:
        """People add the rows: the list asks what the first page asks, the other pages follow for each row."""
        first: list[Asked] = []
        taken = 0
        for screen in screens:
            if screen.lists or screen.each != ident:
                break
            taken += 1
            inner = screen.relevant[len(relevant) :]
            first += [Asked(one.question, one.row, (*inner, *one.relevant)) for one in screen.asked]
            if screen.asks():
                break
        name = free(f"{ident}_list", self.page_ids)
        return [_Screen(name, row_of(repeat), place.roster, title, relevant, first, ident), *screens[taken:]]

    def _naming(self, ident: str, screens: list[_Screen]) -> str:
        """The question that names a row: the one under which rows are offered, else the first text, else the first."""
        inside = self._inside_of(ident, screens)
        wanted = [q.id for q in inside if q.id == self.context.labelled.get(ident)]
        texts = [q.id for q in inside if q.kind == "text"]
        return next(iter([*wanted, *texts, *(q.id for q in inside)]), ident)

    def _inside_of(self, ident: str, screens: list[_Screen]) -> list[Question]:
        """What is asked or computed of a row itself, not of the rows of a repeat inside."""
        return [
            one.question
            for screen in screens
            for one in screen.asked
            if self.context.home.get(one.question.id) == ident and one.question.kind != "note"
        ]

    def _numbered(self, repeat: Element, ident: str, title: Text, relevant: tuple[str, ...]) -> _Screen:
        """A row that is asked nothing itself is named by its number."""
        name = free(f"{ident}_number", {one.lower() for one in self.context.home})
        self.context.home[name] = ident
        number = Question(
            id=name, kind="calculate", label=title, calculate="string(position(..))", required=False
        )
        page = free(f"{ident}_page", self.page_ids)
        return _Screen(page, row_of(repeat), ident, title, relevant, [Asked(number, row_of(repeat))])

    # --- settings --------------------------------------------------------------------------------------------------

    def _note_settings(self) -> None:
        context = self.context
        kept = {"form_title", "title", "form_id", "id_string", "version", "default_language", "allow_choice_duplicates",
                "clean_text_values", "name"}  # fmt: skip
        for name in context.columns.headers["settings"]:
            cell = Cell("settings", 2, name)
            if name.strip().lower() not in kept and context.columns.value(cell):
                context.notes.say("left_out", "setting", cell, f"thiết lập {name} của máy chủ hoặc ứng dụng khác",
                                  f"the setting {name} of other servers and applications", found=context.columns.value(cell))  # fmt: skip


def _all(conditions: tuple[str, ...]) -> str | None:
    """All of them at once; one that says "or" is put in brackets."""
    parts = tuple(dict.fromkeys(conditions))
    if len(parts) < 2:
        return parts[0] if parts else None
    return " and ".join(f"({part})" if re.search(r"\bor\b", part) else part for part in parts)
