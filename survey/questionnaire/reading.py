"""From the text of `questionnaire.yaml` to a Questionnaire, or to the list of everything that is wrong with it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import msgspec

from survey import documents
from survey.documents import Document
from survey.problems import BadDocument, Finding, Text
from survey.questionnaire.conditions import (
    ConditionError,
    Node,
    Scope,
    answers_in,
    compile,
    names,
    parse,
)
from survey.questionnaire.index import Names
from survey.questionnaire.model import Choice, Page, Question, Questionnaire, Section
from survey.questionnaire.reach import never
from survey.questionnaire.remedies import REMEDIES
from survey.questionnaire.values import Type

Path = tuple[str | int, ...]
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_CODE = re.compile(r"-?\w[\w.-]*")
_RESERVED = ("-dk", "-rf")  # how a form says "don't know" and "prefer not to say"


def read(text: str, filename: str = "questionnaire.yaml") -> Questionnaire:
    """The questionnaire; raises BadDocument with every error. Warnings alone do not stop: see `review`."""
    questionnaire, findings = review(text, filename)
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors or questionnaire is None:
        raise BadDocument(errors)
    return questionnaire


def review(text: str, filename: str = "questionnaire.yaml") -> tuple[Questionnaire | None, list[Finding]]:
    """The questionnaire, if its shape can be read at all, and every finding, errors and warnings."""
    try:
        document = documents.load(text, filename)
        questionnaire = documents.convert(document, Questionnaire)
    except BadDocument as bad:
        return None, list(bad.findings)
    return questionnaire, _Review(document, questionnaire).findings()


class _Review:
    """Everything that types cannot say: names, texts, conditions and the order they need."""

    def __init__(self, document: Document, questionnaire: Questionnaire) -> None:
        self.document = document
        self.questionnaire = questionnaire
        self.known = Names(questionnaire, tolerant=True)
        self.found: list[Finding] = []

    def findings(self) -> list[Finding]:
        self._names()
        self._texts()
        self._structure()
        self._conditions()
        if not any(finding.severity == "error" for finding in self.found):
            self._reach()
        return self.found

    def _say(
        self, code: str, path: Path, vi: str, en: str, do: Text | None = None, severity: str = "error"
    ) -> None:
        found = Finding(code=code, where=self.document.where(path), message={"vi": vi, "en": en},
                        remedy=do or REMEDIES.get(code, {}), severity=severity)  # fmt: skip
        if found not in self.found:  # the words of several languages may be wrong alike
            self.found.append(found)

    def _pages(self) -> Iterator[tuple[Path, Section, Page]]:
        for s, section in enumerate(self.questionnaire.sections):
            for p, page in enumerate(section.pages):
                yield ("sections", s, "pages", p), section, page

    def _questions(self) -> Iterator[tuple[Path, Page, Question]]:
        for path, _, page in self._pages():
            for q, question in enumerate(page.questions):
                yield (*path, "questions", q), page, question

    # names

    def _names(self) -> None:
        kinds: dict[tuple[str, str], list[tuple[str, Path]]] = {
            ("section", "phần"): [
                (s.id, ("sections", i, "id")) for i, s in enumerate(self.questionnaire.sections)
            ],
            ("page", "trang"): [(page.id, (*path, "id")) for path, _, page in self._pages()],
            ("question", "câu hỏi"): [
                (question.id, (*path, "id")) for path, _, question in self._questions()
            ],
            ("roster", "danh sách"): [
                (r.id, ("rosters", i, "id")) for i, r in enumerate(self.questionnaire.rosters)
            ],
            ("draw", "lượt chọn"): [
                (d.id, ("draws", i, "id")) for i, d in enumerate(self.questionnaire.draws)
            ],
        }
        for (kind, loai), listed in kinds.items():
            seen: set[str] = set()
            for name, path in listed:
                if not _ID.fullmatch(name):
                    self._say(
                        "bad_id",
                        path,
                        f"mã “{name}” chỉ được dùng chữ không dấu, số và gạch dưới",
                        f"the id “{name}” may only use letters without marks, digits and underscores",
                    )
                if name.lower() in seen:  # columns of tables do not tell capitals apart
                    self._say(
                        "twice", path, f"mã {loai} “{name}” bị trùng", f"the {kind} id “{name}” stands twice"
                    )
                seen.add(name.lower())
        lists = [(("choices", name), choices) for name, choices in self.questionnaire.choices.items()]
        own = [((*p, "choices"), q.choices) for p, _, q in self._questions() if isinstance(q.choices, tuple)]
        for where, choices in [*lists, *own]:
            self._codes(where, choices)

    def _codes(self, where: Path, choices: tuple[Choice, ...]) -> None:
        seen: set[str] = set()
        for number, choice in enumerate(choices):
            code, path = choice.code, (*where, number, "code")
            if code in seen:
                self._say(
                    "code_twice",
                    path,
                    f"mã lựa chọn “{code}” bị trùng",
                    f"the option code “{code}” stands twice",
                )
            elif code in _RESERVED:
                self._say("bad_code", path, f"mã “{code}” dành cho “Không biết”, “Không muốn trả lời”",
                          f"the code “{code}” is kept for “Don't know” and “Prefer not to say”")  # fmt: skip
            elif not _CODE.fullmatch(code):
                self._say("bad_code", path, f"mã lựa chọn “{code}” có ký tự không dùng được",
                          f"the option code “{code}” has characters that cannot be used")  # fmt: skip
            seen.add(choice.code)

    # texts in every language

    def _texts(self) -> None:
        for path, words, needed in self._words():
            for language in self.questionnaire.languages:
                said = words.get(language, "").strip()
                if (words or needed) and said in ("", "-"):
                    self._say(
                        "no_translation",
                        path,
                        f"thiếu lời bằng ngôn ngữ “{language}”",
                        f"the text in “{language}” is missing",
                        {"vi": f"thêm {language}:", "en": f"add {language}:"},
                    )
            for language in set(words) - set(self.questionnaire.languages):
                self._say(
                    "unknown_language",
                    path,
                    f"ngôn ngữ “{language}” chưa khai ở languages",
                    f"the language “{language}” is not declared in languages",
                )

    def _words(self) -> Iterator[tuple[Path, Text, bool]]:
        yield ("title",), self.questionnaire.title, True
        for s, section in enumerate(self.questionnaire.sections):
            yield ("sections", s, "title"), section.title, True
        for r, roster in enumerate(self.questionnaire.rosters):
            yield ("rosters", r, "label"), roster.label, True
        for name, choices in self.questionnaire.choices.items():
            for c, choice in enumerate(choices):
                yield ("choices", name, c, "label"), choice.label, True
        for path, _, page in self._pages():
            yield (*path, "title"), page.title, page.kind != "questions"
            yield (*path, "body"), page.body, False
        for path, _, question in self._questions():
            yield (*path, "label"), question.label, question.kind != "calculate"
            for field in ("hint", "help", "for_official", "unit"):
                yield (*path, field), getattr(question, field), False
            for mode, words in question.wording.items():
                yield (*path, "wording", mode), words, True
            for c, check in enumerate(question.checks):
                yield (*path, "checks", c, "message"), check.message, True
            if isinstance(question.choices, tuple):
                for c, choice in enumerate(question.choices):
                    yield (*path, "choices", c, "label"), choice.label, True

    # structure

    def _structure(self) -> None:
        rosters = {roster.id for roster in self.questionnaire.rosters}
        draws = {draw.id: draw for draw in self.questionnaire.draws}
        drawn: set[str] = set()
        collected: set[str] = set()
        for path, _, page in self._pages():
            for field, value, known in (
                ("roster", page.roster, rosters),
                ("each", page.each, rosters),
                ("of", page.of, set(draws)),
                ("draw", page.draw, set(draws)),
            ):
                if value and value not in known:
                    self._say("unknown_name", (*path, field), f"không có “{value}”", f"there is no “{value}”")
            if page.kind == "list" and not page.roster:
                self._say("no_roster", path, "trang danh sách cần roster:", "a list page needs roster:")
            if page.kind == "draw" and not page.draw:
                self._say("no_draw", path, "trang chọn người cần draw:", "a draw page needs draw:")
            if page.of and page.of not in drawn:
                self._say(
                    "too_early",
                    (*path, "of"),
                    f"“{page.of}” chưa được chọn trước trang này",
                    f"“{page.of}” has not been drawn before this page",
                )
            if page.draw in draws and draws[page.draw].roster not in collected:
                self._say(
                    "too_early",
                    (*path, "draw"),
                    "danh sách phải được hỏi trước khi chọn người",
                    "the roster must be asked before the draw",
                )
            collected |= {page.roster} if page.roster else set()
            drawn |= {page.draw} if page.kind == "draw" and page.draw else set()
        questions = {question.id for _, _, question in self._questions()}
        for number, roster in enumerate(self.questionnaire.rosters):
            if roster.name not in questions:
                self._say(
                    "unknown_name",
                    ("rosters", number, "name"),
                    f"không có câu hỏi “{roster.name}”",
                    f"there is no question “{roster.name}”",
                )
        self._rosters()
        for path, _, question in self._questions():
            self._kind(path, question)

    def _rosters(self) -> None:
        """Rosters are two deep at most; a list within another stands at the rows that hold it."""
        held = self.known.within
        for number, roster in enumerate(self.questionnaire.rosters):
            above, where = roster.within, ("rosters", number, "within")
            if above and above not in held:
                self._say(
                    "unknown_name", where, f"không có danh sách “{above}”", f"there is no roster “{above}”"
                )
            elif above == roster.id:
                self._say("roster_within", where, f"danh sách “{above}” nằm trong chính nó", f"the roster “{above}” is within itself")  # fmt: skip
            elif above and held[above]:
                self._say("roster_within", where, f"“{roster.id}” nằm sâu quá hai bậc danh sách", f"“{roster.id}” is more than two rosters deep")  # fmt: skip
        for path, _, page in self._pages():
            listed = self.known.rosters.get(page.roster or "") if page.kind == "list" else None
            if listed and (listed.within or None) != page.each:
                self._say("roster_each", path, f"danh sách “{listed.id}” phải đứng ở danh sách chứa nó",
                          f"the list of “{listed.id}” must stand at the roster that holds it")  # fmt: skip
            if listed and listed.count is not None:
                self._say("roster_counted", path, f"số dòng của “{listed.id}” do count: tính, không ai kê khai",
                          f"count: says how many rows “{listed.id}” has, so nobody lists them")  # fmt: skip

    def _kind(self, path: Path, question: Question) -> None:
        chooses = question.kind in ("select_one", "select_many", "rank")
        if isinstance(question.choices, str) and question.choices not in self.questionnaire.choices:
            self._say(
                "unknown_name",
                (*path, "choices"),
                f"không có danh sách lựa chọn “{question.choices}”",
                f"there is no list of choices “{question.choices}”",
            )
        if chooses != bool(question.choices or question.rows) and question.kind != "preload":
            self._say(
                "choices",
                path,
                f"câu {question.id}: loại {question.kind} {'cần' if chooses else 'không dùng'} choices",
                f"question {question.id}: kind {question.kind} {'needs' if chooses else 'takes no'} choices",
            )
        if (
            question.minimum is not None
            and question.maximum is not None
            and question.minimum > question.maximum
        ):
            self._say("limits", (*path, "minimum"), f"câu {question.id}: minimum lớn hơn maximum", f"question {question.id}: minimum is above maximum")  # fmt: skip
        if question.rows is not None and question.rows not in self.known.rosters:
            self._say("unknown_name", (*path, "rows"), f"không có danh sách “{question.rows}”", f"there is no roster “{question.rows}”")  # fmt: skip
        if (question.kind == "preload") != bool(question.column):
            self._say(
                "preload",
                path,
                f"câu {question.id}: kind preload và column: phải đi cùng nhau",
                f"question {question.id}: kind preload and column: go together",
            )
        if question.kind == "preload" and self.known.places[question.id].roster:
            self._say("preload", path, f"câu {question.id}: chỉ hộ mới có số liệu nạp sẵn", f"question {question.id}: only the household has preloads")  # fmt: skip
        if (question.kind == "calculate") != bool(question.calculate):
            self._say(
                "calculate",
                path,
                f"câu {question.id}: kind calculate và calculate: phải đi cùng nhau",
                f"question {question.id}: kind calculate and calculate: go together",
            )

    # conditions

    def _conditions(self) -> None:
        """Every condition reads and means something where it stands, and names only questions asked before it."""
        known = self.known
        before: set[str] = set()
        asked = {question.id for _, _, question in self._questions() if question.kind != "calculate"}
        for number, roster in enumerate(self.questionnaire.rosters):
            scope = known.scope(roster.within or "")
            self._condition(("rosters", number, "count"), roster.count, scope, set(), "number")
        for path, _, page in self._pages():
            for number, draw in enumerate(self.questionnaire.draws):
                if page.kind == "draw" and page.draw == draw.id:
                    later = asked - before
                    self._condition(
                        ("draws", number, "eligible"), draw.eligible, known.scope(draw.roster), later
                    )
            self._condition(
                (*path, "when"), page.when, known.scope(known.roster_of_page(page)), asked - before
            )
            for q, question in enumerate(page.questions):
                here = (*path, "questions", q)
                scope = known.scope_at(question)
                later = asked - before
                self._condition((*here, "when"), question.when, scope, later)
                self._condition((*here, "calculate"), question.calculate, scope, set(), None)
                self._condition((*here, "filter"), question.filter, known.scope_of_filter(question), later)
                if isinstance(question.choices, tuple):
                    for c, choice in enumerate(question.choices):
                        self._condition((*here, "choices", c, "when"), choice.when, scope, later)
                before.add(question.id)
                for c, check in enumerate(question.checks):
                    seen = known.scope_at(question, current=True)
                    self._condition((*here, "checks", c, "that"), check.that, seen, asked - before)
            for words_path, words in self._piped(path, page):
                self._piping(words_path, words, page)
        self._condition(("proxy",), self.questionnaire.proxy, known.scope(), set())
        self._cycles()

    def _condition(
        self, path: Path, text: str | None, scope: Scope, later: set[str], want: Type | None = "boolean"
    ) -> None:
        if text is None:
            return
        try:
            tree = parse(text)
        except ConditionError as error:
            self._bad_condition(path, text, error)
            return
        unknown = False
        for name in dict.fromkeys(names(tree)):
            if name in self.known.rosters:
                continue
            if name not in self.known.places:
                unknown = True
                self._unknown(path, name, [*self.known.places, *self.known.rosters])
            elif name in later:
                self._say(
                    "too_early",
                    path,
                    f"điều kiện dùng “{name}”, mà câu này được hỏi sau",
                    f"the condition uses “{name}”, which is asked later",
                )
        if unknown:
            return
        try:
            compiled = compile(tree, scope, want)
        except ConditionError as error:
            self._bad_condition(path, text, error)
            return
        self._sense(path, compiled)

    def _bad_condition(self, path: Path, text: str, error: ConditionError) -> None:
        self._say(
            "condition",
            path,
            f"điều kiện “{text}”: {error.vietnamese} (ký tự {error.at + 1})",
            f"condition “{text}”: {error.problem} (character {error.at + 1})",
        )

    def _unknown(self, path: Path, name: str, known: Iterable[str]) -> None:
        close = _close(name, tuple(known))
        self._say(
            "unknown_name",
            path,
            f"không có câu hỏi “{name}”",
            f"there is no question “{name}”",
            {"vi": f"có phải: {close}", "en": f"did you mean: {close}"} if close else None,
        )

    def _sense(self, path: Path, tree: Node) -> None:
        """Comparisons with codes that are not offered, and negations that a blank turns into "yes"."""
        if tree.op in ("same", "selected"):
            self._sense_of_code(path, *tree.arguments)
        if tree.op == "not" and tree.arguments[0].op in ("<", "<=") and self._may_be_blank(tree.arguments[0]):
            self._say(
                "not_of_blank",
                path,
                "not(…) của một phép so sánh là đúng khi chưa có câu trả lời",
                "not(…) of a comparison is true when there is no answer yet",
                {"vi": "viết phép so sánh ngược lại", "en": "write the opposite comparison"},
                "warning",
            )
        for argument in tree.arguments:
            self._sense(path, argument)

    def _sense_of_code(self, path: Path, left: Node, right: Node) -> None:
        if left.op == "text":
            left, right = right, left
        if right.op != "text":
            return
        if left.op == "text-of-codes" and left.arguments[0].op == "answer":
            name = left.arguments[0].name
            self._say(
                "use_selected",
                path,
                f"câu {name} chọn nhiều: dùng selected(${{{name}}}, '{right.value}')",
                f"question {name} takes several answers: use selected(${{{name}}}, '{right.value}')",
            )
        if left.op == "words":
            left = left.arguments[0]
        place = self.known.places.get(left.name) if left.op == "answer" else None
        codes = {choice.code for choice in self.known.choices(place.question)} if place else set()
        if codes and right.value not in codes:
            self._say(
                "unknown_code",
                path,
                f"câu {left.name} không có lựa chọn “{right.value}”",
                f"question {left.name} has no option “{right.value}”",
                {"vi": "có: " + ", ".join(sorted(codes)), "en": "it has: " + ", ".join(sorted(codes))},
            )

    def _may_be_blank(self, tree: Node) -> bool:
        """Whether a comparison can meet a blank: an answer that may be missing, or one that may not be asked."""
        for leaf in answers_in(tree):
            question, page = self.known.places[leaf.name].question, self.known.places[leaf.name].page
            sure = question.required and not question.dont_know and not question.refused
            if not sure or question.when or page.when or question.kind == "calculate":
                return True
        return any(node.op in ("current", "blank") for node in _within(tree))

    def _reach(self) -> None:
        """Pages and questions that no answers lead to; only a warning where they are switched off by `false()`."""
        for path, _, page in self._pages():
            roster = self.known.roster_of_page(page)
            if never(self.known, (page.when,), roster):
                self._say(
                    "unreachable",
                    (*path, "when"),
                    f"không ai được hỏi trang “{page.id}”: không câu trả lời nào làm điều kiện đúng",
                    f"nobody is ever asked page “{page.id}”: no answers make its condition true",
                    severity="error" if _mentioned(page.when) else "warning",
                )
                continue
            for q, question in enumerate(page.questions):
                if question.when and never(
                    self.known, (page.when, question.when), self.known.roster_of(page)
                ):
                    self._say(
                        "unreachable",
                        (*path, "questions", q, "when"),
                        f"không ai được hỏi câu “{question.id}”: không câu trả lời nào làm điều kiện đúng",
                        f"nobody is ever asked question “{question.id}”: no answers make its condition true",
                        severity="error" if _mentioned(question.when) else "warning",
                    )

    def _cycles(self) -> None:
        """What each question depends on must not lead back to it."""
        depends: dict[str, set[str]] = {}
        for _, page, question in self._questions():
            texts = (page.when, question.when, question.calculate)
            depends[question.id] = {name for text in texts for name in _mentioned(text)}
        state: dict[str, int] = {}
        where = {question.id: path for path, _, question in self._questions()}
        for start in depends:
            trail = _loop(start, depends, state)
            if trail:
                way = " → ".join(trail)
                self._say(
                    "cycle",
                    where[trail[0]],
                    f"các câu phụ thuộc vòng quanh: {way}",
                    f"the questions depend on one another in a circle: {way}",
                )

    def _piped(self, path: Path, page: Page) -> Iterator[tuple[Path, Text]]:
        yield (*path, "title"), page.title
        yield (*path, "body"), page.body
        for q, question in enumerate(page.questions):
            here = (*path, "questions", q)
            for field in ("label", "hint", "help", "for_official"):
                yield (*here, field), getattr(question, field)
            for mode, words in question.wording.items():
                yield (*here, "wording", mode), words
            for c, check in enumerate(question.checks):
                yield (*here, "checks", c, "message"), check.message
            for c, choice in enumerate(question.choices if isinstance(question.choices, tuple) else ()):
                yield (*here, "choices", c, "label"), choice.label

    def _piping(self, path: Path, words: Text, page: Page) -> None:
        for said in words.values():
            for name in re.findall(r"\$\{\s*([^}]*?)\s*\}", said):
                if name not in self.known.places:
                    self._unknown(path, name, self.known.places)
                    continue
                try:
                    compile(f"${{{name}}}", self.known.scope(self.known.roster_of(page)))
                except ConditionError as error:
                    self._bad_condition(path, f"${{{name}}}", error)


@lru_cache(maxsize=1024)
def _close(name: str, known: tuple[str, ...]) -> str | None:
    """The known name that was probably meant; a large form has the same slip in hundreds of conditions."""
    found = difflib.get_close_matches(name, known, 1)
    return found[0] if found else None


def _within(tree: Node) -> Iterator[Node]:
    yield tree
    for argument in tree.arguments:
        yield from _within(argument)


def _mentioned(text: str | None) -> set[str]:
    try:
        return set(names(parse(text))) if text else set()
    except ConditionError:
        return set()


def _loop(start: str, depends: Mapping[str, set[str]], state: dict[str, int]) -> list[str]:
    """The first circle met from `start` (ending where it began), or nothing. state: 1 on the way, 2 finished."""
    way: list[tuple[str, Iterator[str]]] = []

    def enter(name: str) -> None:
        state[name] = 1
        way.append((name, iter(sorted(depends.get(name, ())))))

    if not state.get(start):
        enter(start)
    while way:
        name, rest = way[-1]
        following = next(rest, None)
        if following is None:
            state[name] = 2
            way.pop()
        elif state.get(following) == 1:
            trail = [one for one, _ in way]
            state.update(dict.fromkeys(trail, 2))
            return [*trail[trail.index(following) :], following]
        elif following in depends and not state.get(following):
            enter(following)
    return []


def schema() -> dict[str, object]:
    """JSON Schema of questionnaire.yaml, for editors."""
    return msgspec.json.schema(Questionnaire)
