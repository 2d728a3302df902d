"""Who is asked: the frozen value that `survey.yaml` is read into, for the one who runs the survey."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from survey.problems import Text


class Territory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where: the areas file lists every commune with the dates between which its code means that place."""

    name: Text
    country: str
    province: str
    as_of: str
    areas: str = "areas.csv"


class Frame(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Columns of the frame of enumeration areas and of the household listing, by what they mean."""

    psu: str = "ea"
    area: str = "commune"
    urban_rural: str = "urban_rural"
    size: str = "households"
    order: tuple[str, ...] = ("commune", "ea")
    listing_psu: str = "ea"
    listing_household: str = "household"
    source: Text = {}


class Sampling(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two stages: areas by systematic PPS within strata, households by equal-probability systematic draw."""

    strata: tuple[str, ...]
    psus: int
    take: int
    allocation: Literal["proportional", "square_root", "equal"] = "proportional"
    minimum_psus: int = 2
    reserve: int = 0


class Dates(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """ISO dates. `reference` is the day the figures are about; answers can be corrected until `closes`."""

    reference: str
    web_opens: str
    visits_open: str
    closes: str


Basis = Literal["consent", "state_19_1_c"]
"""By which right: consent, or a state agency's task by law (Law 91/2025/QH15, Article 19.1(c))."""


class Legal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why these data may be processed, in words that follow the basis. `basis` is that of every purpose that names no own."""

    basis: Basis
    decision: Text
    citations: tuple[str, ...]
    controller: Text
    contact: Text
    purposes: tuple[Purpose, ...]
    minimum_age: int = 16
    obligatory: bool = False

    def basis_of(self, purpose: Purpose) -> Basis:
        """By which right the data are processed for this purpose."""
        return purpose.basis or self.basis

    @property
    def agreed(self) -> tuple[Purpose, ...]:
        """The purposes that rest on consent, each asked about by itself."""
        return tuple(one for one in self.purposes if self.basis_of(one) == "consent")

    @property
    def needed(self) -> tuple[Purpose, ...]:
        """Of these, the ones without which nothing is asked."""
        return tuple(one for one in self.agreed if not one.optional)


class Purpose(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One purpose, with its own basis and citations where they differ from the survey's. One that rests on consent is agreed
    to by itself and never pre-ticked; `optional` ones do not end the interview when refused.

    `question` is the one by which an official asks for it at a visit, by telephone or on paper; its answer `agrees` is a yes.
    """

    id: str
    text: Text
    optional: bool = False
    basis: Basis | None = None
    citations: tuple[str, ...] = ()
    question: str = ""
    agrees: str = "yes"


class Retention(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Months after `closes` until identities are destroyed, and until answers are."""

    identities_months: int
    answers_months: int


class BackChecks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which share of the interviews at doors is asked again, and which questions: such as are asked of everybody."""

    share: float = 0.05
    questions: tuple[str, ...] = ()


class SurveyPlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole plan of collection; frozen by hash with the questionnaire once the first answer arrives.

    `sufficient` names the questions that make an interview that was not finished a partial one (AAPOR 1.2), which RR2, RR4
    and RR6 count; without any there is no partial interview. Estimates are made from complete interviews alone.
    """

    id: str
    title: Text
    organiser: Text
    languages: tuple[str, ...]
    territory: Territory
    frame: Frame
    sampling: Sampling
    modes: tuple[Literal["self", "visit", "proxy", "phone", "paper"], ...]
    dates: Dates
    legal: Legal
    retention: Retention
    helpline: Text = {}
    """Whom to call and when; a telephone number in it can be tapped."""
    promise: Text = {}
    """What is never asked of a household, said on the first page and in its letter."""
    back_checks: BackChecks = BackChecks()
    sufficient: tuple[str, ...] = ()
