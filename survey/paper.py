"""The questionnaire on paper: every question with its boxes, who is asked it, and where an answer leads, in all languages.

For an interview when the phone is lost or flat, for reviewers and for the archive. What was written down is keyed in by
the same web pages, so the numbers here are those questions in their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from survey.problems import Text
from survey.questionnaire import conditions
from survey.questionnaire.conditions import ConditionError, State, answers_in
from survey.questionnaire.index import Index, Place, index
from survey.questionnaire.model import Choice, Page, Question, Questionnaire
from survey.questionnaire.piping import REFERENCE
from survey.questionnaire.routing import SILENT
from survey.questionnaire.wording import in_words
from survey.typesetting import pdf

UNSEEN = ("calculate", "preload")
LONGEST_LIST = 40  # more options than this are written in, not ticked
ROWS = 8  # lines of a roster on the page; another sheet takes the rest
WIDEST = 8  # questions in one table of a roster
WORDS: dict[str, Text] = {
    "paper": {"vi": "Phiếu giấy", "en": "Paper questionnaire"},
    "ask_if": {"vi": "Chỉ hỏi nếu", "en": "Ask only if"},
    "ask_run": {"vi": "Chỉ hỏi câu {0} đến câu {1} nếu", "en": "Ask questions {0} to {1} only if"},
    "every": {"vi": "Hỏi từng người, mục trong “{0}”", "en": "Ask of each in “{0}”"},
    "drawn": {"vi": "Chỉ hỏi người được chọn", "en": "Ask only the person selected"},
    "draw": {
        "vi": "Đánh số những người đủ điều kiện theo thứ tự trong danh sách. Lấy số ngẫu nhiên ghi trên thẻ hộ (từ 0 đến dưới 1) nhân với số người đủ điều kiện, bỏ phần thập phân rồi cộng 1: đó là số thứ tự của người được chọn. Không đổi người.",
        "en": "Number those eligible in the order of the list. Multiply the random number on the household card (from 0 to below 1) by how many are eligible, drop the decimals and add 1: that is the number of the person selected. Never substitute.",
    },
    "eligible": {"vi": "Đủ điều kiện", "en": "Eligible"},
    "chosen": {"vi": "Số người đủ điều kiện · Số thứ tự và tên người được chọn", "en": "How many are eligible · Number and name of the person selected"},
    "many": {"vi": "Đánh dấu tất cả những ý đúng", "en": "Mark all that apply"},
    "rank": {"vi": "Ghi 1 vào ý quan trọng nhất, rồi 2, 3…", "en": "Write 1 for the first, then 2, 3…"},
    "write_code": {"vi": "Ghi tên và mã theo danh mục", "en": "Write name and code from the list"},
    "from_rows": {"vi": "Ghi số thứ tự trong “{0}”", "en": "Write the number in “{0}”"},
    "dont_know": {"vi": "Không biết", "en": "Don’t know"},
    "refused": {"vi": "Không muốn trả lời", "en": "Prefer not to say"},
    "official": {"vi": "Cán bộ", "en": "Interviewer"},
    "end": {"vi": "hết", "en": "end"},
    "person": {"vi": "Số", "en": "No."},
    "answers": {"vi": "Ghi số của câu trả lời vào ô", "en": "Write the number of the answer in the box"},
    "case": {"vi": "Mã hộ", "en": "Household"},
    "hamlet": {"vi": "Thôn, tổ dân phố", "en": "Hamlet"},
    "date": {"vi": "Ngày", "en": "Date"},
    "by": {"vi": "Cán bộ", "en": "Interviewer"},
    "outcome": {"vi": "Kết quả", "en": "Outcome"},
    "thanks": {"vi": "Xin cảm ơn gia đình.", "en": "Thank you."},
}  # fmt: skip


def paper(questionnaire: Questionnaire, languages: Sequence[str] = ()) -> bytes:
    """The PDF, in the given languages (by default all of the questionnaire, its first the largest)."""
    return pdf("paper.typ", layout(questionnaire, tuple(languages) or questionnaire.languages))


def layout(questionnaire: Questionnaire, languages: tuple[str, ...]) -> dict[str, Any]:
    """What stands on the paper, as plain values: the template only places it."""
    return _Paper(questionnaire, languages).all()


class _Paper:
    def __init__(self, questionnaire: Questionnaire, languages: tuple[str, ...]) -> None:
        self.questionnaire, self.languages = questionnaire, languages
        self.known: Index = index(questionnaire)
        asked = [place for place in self.known.places.values() if place.question.kind not in SILENT]
        self.order: list[Place] = asked
        self.number = {place.question.id: str(number) for number, place in enumerate(asked, start=1)}

    def all(self) -> dict[str, Any]:
        return {
            "languages": self.languages,
            "title": self._said(self.questionnaire.title),
            "edition": f"{self.questionnaire.edition} · {self.questionnaire.version}",
            "words": {key: self._said(words) for key, words in WORDS.items()},
            "sections": [
                {
                    "title": self._said(section.title),
                    "pages": [self._page(page) for page in self._together(section.pages)],
                }
                for section in self.questionnaire.sections
            ],
        }

    def _shown(self, page: Page) -> bool:
        return page.kind != "questions" or any(question.kind not in UNSEEN for question in page.questions)

    def _together(self, pages: Sequence[Page]) -> list[Page]:
        """Pages that follow one another, asked of the same under the same condition and title, as one: a form that shows
        each question on a screen of its own does not say all that before each of them."""
        joined: list[Page] = []
        for page in pages:
            if not self._shown(page):
                continue
            last = joined[-1] if joined else None
            alike = last is not None and all(
                getattr(last, part) == getattr(page, part) for part in ("kind", "title", "when", "each", "of")
            )
            if (
                last is None
                or not alike
                or page.kind != "questions"
                or page.body
                or self._too_wide(last, page)
            ):
                joined.append(page)
            else:
                joined[-1] = msgspec.structs.replace(last, questions=(*last.questions, *page.questions))
        return joined

    @staticmethod
    def _too_wide(one: Page, other: Page) -> bool:
        asked = [question for question in (*one.questions, *other.questions) if question.kind not in SILENT]
        return bool(one.each) and len(asked) > WIDEST

    def _said(self, words: Mapping[str, str], *parts: Text) -> list[str]:
        """The words in each language; answers that the page would fill in become a blank to speak over."""
        found = []
        for language in self.languages:
            text = words.get(language) or ("" if language in ("vi", "en") else words.get("en", ""))
            filled = text.format(*(part.get(language, "") for part in parts)) if parts else text
            found.append(REFERENCE.sub("……", filled))
        return found

    def _condition(self, text: str | None, roster: str) -> list[str]:
        if not text:
            return []
        scope = self.known.scope(roster)
        spoken = [language for language in self.languages if language in ("vi", "en")] or self.languages[:1]
        return [
            self._in_words(text, scope, language) if language in spoken else "" for language in self.languages
        ]

    def _in_words(self, text: str, scope: conditions.Scope, language: str) -> str:
        def refer(name: str) -> str:
            if name in self.number:
                return {"vi": "câu {}", "en": "question {}"}.get(language, "{}").format(self.number[name])
            place = self.known.places.get(name)
            return place.question.label.get(language, name) if place else name

        return in_words(self.known, text, scope, language, refer)

    def _page(self, page: Page) -> dict[str, Any]:
        roster = self.known.roster_of(page)
        of = self.known.rosters.get(roster)
        grid = bool(of) and (page.kind == "list" or bool(page.each))
        draw = self.known.draws.get(page.draw or "")
        about: list[str] = []
        if grid and of:
            about = self._said(WORDS["every"], of.label)
        elif page.of:
            about = self._said(WORDS["drawn"])
        return {
            "title": self._said(page.title),
            "body": self._said(page.body),
            "about": about,
            "condition": self._condition(page.when, self.known.roster_of_page(page)),
            "ask_if": self._asking(page),
            "draw": self._condition(draw.eligible, draw.roster) if draw else [],
            "rows": ROWS if grid else 0,
            "questions": [
                self._question(question, grid) for question in page.questions if question.kind not in UNSEEN
            ],
        }

    def _asking(self, page: Page) -> list[str]:
        """How the condition of a page begins: it says how far it reaches where that is more than one question."""
        numbers = [self.number[question.id] for question in page.questions if question.id in self.number]
        if len(numbers) < 2:
            return self._said(WORDS["ask_if"])
        words = {
            language: said.format(numbers[0], numbers[-1]) for language, said in WORDS["ask_run"].items()
        }
        return self._said(words)

    def _question(self, question: Question, grid: bool) -> dict[str, Any]:
        place = self.known.places[question.id]
        choices = self.known.choices(question)
        ticked = choices if len(choices) <= LONGEST_LIST and not question.filter else ()
        note: list[str] = []
        if question.rows:
            note = self._said(WORDS["from_rows"], self.known.rosters[question.rows].label)
        elif question.kind in ("select_many", "rank"):
            note = self._said(WORDS["many" if question.kind == "select_many" else "rank"])
        elif choices and not ticked:
            note = self._said(WORDS["write_code"])
        return {
            "number": self.number.get(question.id, ""),
            "kind": question.kind,
            "label": self._said(question.wording.get("visit", question.label)),
            "hint": self._said(question.hint),
            "official": self._said(question.for_official),
            "condition": self._condition(question.when, place.roster),
            "note": note,
            "unit": self._said(question.unit),
            "choices": [self._choice(place, choice, grid) for choice in ticked],
            "missing": [
                self._said(WORDS[reason]) for reason in ("dont_know", "refused") if getattr(question, reason)
            ],
        }

    def _choice(self, place: Place, choice: Choice, grid: bool) -> dict[str, Any]:
        single = place.question.kind == "select_one" and not grid
        return {
            "label": self._said(choice.label),
            "specify": choice.specify,
            "skip": self._skip(place, choice.code) if single else "",
        }

    def _skip(self, place: Place, code: str) -> str:
        """The question to go on with after this answer, where it is not simply the next; "end" after the last."""
        here = self.order.index(place)
        for further in range(here + 1, len(self.order)):
            if not self._ruled_out(self.order[further], place, code):
                return "" if further == here + 1 else self.number[self.order[further].question.id]
        return "" if here + 1 == len(self.order) else "end"

    def _ruled_out(self, later: Place, place: Place, code: str) -> bool:
        """Whether the answer alone settles that the later question is not asked."""
        if (later.roster, later.draw) != (place.roster, place.draw):
            return False
        given = State(answers={"": {place.question.id: code}, "1": {place.question.id: code}},
                      draws={place.draw: "1"} if place.draw else {})  # fmt: skip
        for text in (later.page.when, later.question.when):
            if not text:
                continue
            try:
                tree = conditions.compile(text, self.known.scope(later.roster), "boolean")
            except ConditionError:
                continue
            leaves = list(answers_in(tree))
            alone = leaves and all(leaf.op == "answer" and leaf.name == place.question.id for leaf in leaves)
            if alone and not conditions.holds(tree, given, "1" if later.roster else ""):
                return True
        return False
