"""When the list of households does not say what is there, and what that does to probabilities of selection.

The unit that was drawn is a line of the list. Its probability is never edited; what field work finds is kept beside it
and enters the design weight as a factor:

    finding    what was found at the address                            factor     the case
    moved      another household lives there now                        1          goes on with those who live there
    gone       demolished, or no dwelling any more                      -          not eligible (AAPOR 4.50)
    split      k households where one was listed; one drawn at random   k          goes on with the one drawn
    merged     one household that stands on m lines of the list         1/m        goes on
    listed     the list was right after all (a finding is taken back)   1          goes on

A new household that no line of the list leads to is found behind the line that it stands next to: a split (the half-open
interval of Kish, *Survey Sampling*, 1965, sec. 2.7). `drawn_of` says which of the k is interviewed; nobody chooses.

split: the line's probability p leads to each of its k households with p/k. merged: any of the m lines leads to the
household, so that each carries the m-th part of it; this is the generalised weight share method with equal links
(Lavallée, *Indirect Sampling*, 2007, ch. 2), which needs no probability of the other lines.

Reserve households come from the same systematic draw. When r of them are opened in an area of which n were to be
worked, n + r of the same list are in the sample, so that every household of that area weighs n/(n + r) times as much.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Kind = Literal["moved", "gone", "split", "merged", "listed"]


class Finding(Struct, frozen=True, kw_only=True):
    """What was found instead of the line of the list. `number`: households found (split), lines it is on (merged)."""

    kind: Kind
    author: str
    at: int
    number: int = 1
    note: str = ""

    def __post_init__(self) -> None:
        if (self.number > 1) != (self.kind in ("split", "merged")) or not 1 <= self.number <= 50:
            raise ValueError(
                "a split household or one on several lines says how many (2 to 50); others do not"
            )

    @property
    def gone(self) -> bool:
        return self.kind == "gone"

    @property
    def factor(self) -> float:
        """By how much the design weight is multiplied."""
        match self.kind:
            case "split":
                return float(self.number)
            case "merged":
                return 1.0 / self.number
            case _:
                return 1.0


class Listed(Struct, frozen=True, kw_only=True):
    """A finding as a phone sends it. `id` is made on the phone, so that sending it twice is one finding."""

    id: str
    case: str
    at: int
    author: str
    kind: Kind
    number: int = 1
    mode: str = "visit"

    def __post_init__(self) -> None:
        self.finding()  # what cannot be found cannot be sent

    def finding(self) -> Finding:
        return Finding(kind=self.kind, author=self.author, at=self.at, number=self.number)


def drawn_of(respondent_draw: float, number: int) -> int:
    """Which of the households behind one line is interviewed, 1 to `number`, counted from the gate to the right.

    It follows from later digits of the household's own number than the draw of a person uses, so that nobody chooses and
    the two draws do not go together. static/js/field-list.mjs computes the same.
    """
    return int(respondent_draw * 7919 % 1 * number) + 1


def reserve_factor(sampled: int, opened: int) -> float:
    """By how much the design weight of every household of an area is multiplied when reserves were opened there."""
    return sampled / (sampled + opened)
