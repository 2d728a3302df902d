"""What each person and household of the invented province would say to each question of the questionnaire.

Answers are columns over any set of persons or dwellings, drawn by `chance.uniform`, so that a person says the same in
a sample and in a census. The few who do not know or would rather not say are part of that: the truth of an indicator
is what it would be if everybody had answered, by the indicator's own rule for unknown answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey.questionnaire.checks import DONT_KNOW, REFUSED
from survey.synthetic.chance import uniform
from survey.synthetic.people import MALE, Flags, Index, Province

DONT_KNOW_CODE, REFUSED_CODE, NOT_ASKED = -1, -2, -3
EDUCATION = ("none", "primary", "lower_secondary", "upper_secondary", "tertiary")
WORK = ("employee", "self_employed", "unemployed", "student", "outside")
RELATIONSHIPS = ("head", "spouse", "child", "parent", "grandchild", "other")


@dataclass(frozen=True)
class Choice:
    """One answer of each unit: a position in `options`, or one of the negative codes above."""

    options: tuple[str, ...]
    codes: NDArray[np.int8]

    def said(self, place: int) -> list[str]:
        """What the form would send for this unit."""
        code = int(self.codes[place])
        if code == NOT_ASKED:
            return []
        return [self.options[code] if code >= 0 else DONT_KNOW if code == DONT_KNOW_CODE else REFUSED]


@dataclass(frozen=True)
class Several:
    """Several answers of each unit: a flag for each option; nobody chosen means "none" where there is such an option."""

    options: Mapping[str, Flags]
    none: str = ""

    def said(self, place: int) -> list[str]:
        chosen = [option for option, flags in self.options.items() if flags[place]]
        return chosen or [self.none or DONT_KNOW]


Column = Choice | Several
Columns = dict[str, Column]


class _Asked:
    """Draws the answers of a set of units: everything is asked of all, and gated by `when` where it is not.

    Only the `wanted` questions are drawn (all when None), the others stay empty: asking a whole province everything
    takes long.
    """

    def __init__(self, seed: int, ids: Index, wanted: Callable[[str], bool] | None = None) -> None:
        self.seed, self.ids, self.wanted = seed, ids, wanted

    def u(self, name: str) -> NDArray[np.float64]:
        return uniform(self.seed, name, self.ids)

    def choose(
        self, name: str, options: Sequence[str], code: NDArray[np.int64], when: Flags | None = None
    ) -> Choice:
        """A known answer, hidden from the interviewer by a few who do not know or would rather not say."""
        if self.wanted is not None and not self.wanted(name):
            return Choice(tuple(options), np.zeros(0, dtype=np.int8))
        hides = self.u(name + "/hides")
        codes = np.where(hides < 0.003, DONT_KNOW_CODE, np.where(hides < 0.005, REFUSED_CODE, code))
        if when is not None:
            codes = np.where(when, codes, NOT_ASKED)
        return Choice(tuple(options), codes.astype(np.int8))

    def yes_no(self, name: str, holds: Flags, when: Flags | None = None) -> Choice:
        return self.choose(name, ("yes", "no"), np.where(holds, 0, 1), when)

    def by_chance(
        self, name: str, options: Sequence[str], shares: Sequence[float], when: Flags | None = None
    ) -> Choice:
        """One of the options with these shares."""
        if self.wanted is not None and not self.wanted(name):
            return Choice(tuple(options), np.zeros(0, dtype=np.int8))
        code = np.searchsorted(np.cumsum(shares)[:-1], self.u(name), side="right")
        return self.choose(name, options, code, when)

    def several(
        self, name: str, chances: Mapping[str, float | NDArray[np.float64]], none: str = ""
    ) -> Several:
        """Each option with its chance, which may differ between units."""
        if self.wanted is not None and not self.wanted(name):
            return Several({}, none)
        return Several(
            {option: self.u(f"{name}/{option}") < chance for option, chance in chances.items()}, none
        )


def of_dwellings(
    province: Province, dwellings: Index, wanted: Callable[[str], bool] | None = None
) -> Columns:
    """Answers about the home, one entry for each of these dwellings."""
    asked = _Asked(province.seed, dwellings, wanted)
    internet, fixed = province.home_internet[dwellings], province.home_fixed[dwellings]
    computer = province.home_computer[dwellings]
    digital = province.digital[dwellings].astype(float)
    signal = np.where(province.urban[dwellings], 0.22, 0.08)
    draw = asked.u("coverage")
    coverage = np.select(
        [draw < signal, draw < 0.93, draw < 0.97, draw < 0.985, draw < 0.995], [0, 1, 2, 3, 4], 5
    )
    phone = 1 / (1 + np.exp(-2.2 - 1.5 * digital))
    types = {
        "fibre": fixed & (asked.u("fibre") < 0.97),
        "other_fixed": fixed & (asked.u("fibre") >= 0.97),
        "mobile_phone": internet & (~fixed | (asked.u("mobile_phone") < 0.6)),
    }
    return {
        "home_internet": asked.yes_no("home_internet", internet),
        "internet_types": Several(types),
        "internet_barriers": asked.several(
            "internet_barriers",
            {"no_need": 0.5, "no_skill": 0.45, "device_cost": 0.25, "service_cost": 0.2, "privacy": 0.15},
        ),
        "devices": Several(
            {
                "smartphone": asked.u("devices/smartphone") < phone,
                "basic_phone": asked.u("devices/basic_phone") < 0.35,
                "laptop": computer & (asked.u("devices/laptop") < 0.75),
                "desktop": computer & (asked.u("devices/laptop") >= 0.75),
                "smart_tv": asked.u("devices/smart_tv") < 0.2 + 0.5 * fixed,
            },
            "none",
        ),
        "coverage": asked.choose("coverage", ("5g", "4g", "3g", "2g", "no_letters", "no_signal"), coverage),
        "coverage_quality": asked.by_chance(
            "coverage_quality", ("good", "patchy", "poor"), (0.7, 0.23, 0.07)
        ),
    }


def of_persons(province: Province, persons: Index, wanted: Callable[[str], bool] | None = None) -> Columns:
    """Answers of and about these persons, whoever is asked: members' pages for all, the drawn person's for all."""
    asked = _Asked(province.seed, persons, wanted)
    child = province.age[persons] < 15
    adult = ~child
    bank, electronic = province.bank[persons], province.bank_electronic[persons]
    wallet, money = province.wallet[persons], province.mobile_money[persons]
    male = (province.sex[persons] == MALE).astype(np.int64)
    members: Columns = {
        "sex": Choice(("female", "male"), male.astype(np.int8)),
        "relationship": asked.choose(
            "relationship", RELATIONSHIPS, province.relationship[persons].astype(np.int64)
        ),
        "child_bank": asked.yes_no("child_bank", bank, child),
        "child_bank_electronic": asked.yes_no("child_bank_electronic", electronic, child & bank),
        "child_wallet": asked.yes_no("child_wallet", wallet | money, child),
    }
    return (
        members
        | _phone(province, asked, persons, adult)
        | _accounts(asked, bank, electronic, wallet, money, adult)
    )


def _phone(province: Province, asked: _Asked, persons: Index, adult: Flags) -> Columns:
    owns, smart = province.owns_mobile[persons], province.smartphone[persons]
    data, fast, online = (
        column[persons] for column in (province.data_package, province.uses_4g, province.internet)
    )
    idle = adult & ~owns & (asked.u("idle") < 0.15)  # a phone whose SIM has not been used
    borrows = adult & ~owns & (asked.u("borrows") < 0.4)
    uses = owns | borrows
    seen = np.where(fast, np.where(asked.u("network") < 0.14, 0, 1), np.where(data, 2, 3))
    skill = province.skill[persons].astype(float)
    chance = 1 / (1 + np.exp(-skill))
    last = np.where(online, 0, np.where(asked.u("internet_last") < 0.12, 1, 2))
    skills = {
        "copy": 0.55, "attach": 0.75, "formula": 0.2, "connect": 0.4, "install": 0.6, "present": 0.18,
        "transfer": 0.4, "security": 0.35, "privacy": 0.35, "verify": 0.3, "program": 0.04,
    }  # fmt: skip
    activities = {
        "messages": 0.95, "social": 0.85, "news": 0.6, "video": 0.8, "health": 0.4, "learning": 0.3, "buying": 0.45,
        "selling": 0.12, "banking": 0.5,
    }  # fmt: skip
    used = adult & online
    return {
        "education": asked.choose("education", EDUCATION, _education(asked, province.age[persons], skill), adult),
        "work": asked.choose("work", WORK, _work(asked, province.age[persons]), adult),
        "guardian_agrees": Choice(("agreed",), np.zeros(len(persons), dtype=np.int8)),
        "answered_by": Choice(("self", "helped", "proxy"), np.where(asked.u("by") < 0.93, 0, 1).astype(np.int8)),
        "own_mobile": asked.yes_no("own_mobile", owns | idle, adult),
        "sim_active": asked.yes_no("sim_active", owns, adult & (owns | idle)),
        "smartphone": asked.yes_no("smartphone", smart, adult & (owns | idle)),
        "mobile_use": asked.yes_no("mobile_use", uses, adult),
        "smartphone_use": asked.yes_no("smartphone_use", smart | (borrows & (asked.u("lent") < 0.6)), adult & uses),
        "data_package": asked.yes_no("data_package", data, adult & (owns | idle)),
        "sim_4g": asked.yes_no("sim_4g", fast | (asked.u("sim_4g") < 0.5), adult & (owns | idle)),
        "network_seen": asked.choose("network_seen", ("5g", "4g", "3g", "not_used"), seen, adult & uses),
        "internet_last": asked.choose("internet_last", ("months_3", "longer", "never"), last, adult),
        "internet_frequency": asked.by_chance("internet_frequency", ("daily", "weekly", "less"), (0.9, 0.08, 0.02), used),
        "internet_places": asked.several(
            "internet_places", {"home": 0.97, "work": 0.35, "other_home": 0.3, "commercial": 0.3, "moving": 0.4}
        ),
        "activities": asked.several("activities", {name: share * (0.5 + chance) / 1.1 for name, share in activities.items()}, "none"),
        "online_services": asked.yes_no("online_services", asked.u("services") < 0.45 * chance, used),
        "vneid": asked.by_chance("vneid", ("used", "activated", "no"), (0.45, 0.25, 0.3), used),
        "skills": asked.several("skills", {name: share * (0.4 + chance) / 1.1 for name, share in skills.items()}, "none"),
        "non_use_reasons": asked.several(
            "non_use_reasons", {"no_need": 0.5, "no_skill": 0.6, "unknown": 0.15, "cost": 0.2, "health": 0.25}
        ),
    }  # fmt: skip


def _education(asked: _Asked, age: NDArray[np.int8], skill: NDArray[np.float64]) -> NDArray[np.int64]:
    """The highest level completed: higher for the young and the digital, bounded by the years a person has had."""
    level = np.searchsorted(
        [-3.2, -1.6, 0.4, 1.9], 0.7 * skill + 2.4 * (asked.u("school") - 0.5), side="right"
    )
    possible = np.searchsorted([12, 16, 19, 22], age, side="right")
    reached: NDArray[np.int64] = np.minimum(level, possible)
    return reached


def _work(asked: _Asked, age: NDArray[np.int8]) -> NDArray[np.int64]:
    """Main activity by age: at school, at work, retired."""
    shares = np.array(
        [
            [0.04, 0.04, 0.02, 0.87, 0.03],  # to 18
            [0.45, 0.13, 0.05, 0.31, 0.06],  # to 24
            [0.60, 0.32, 0.02, 0.00, 0.06],  # to 59
            [0.08, 0.42, 0.00, 0.00, 0.50],  # to 74
            [0.00, 0.10, 0.00, 0.00, 0.90],
        ]
    )
    bounds = np.cumsum(shares, axis=1)[np.searchsorted([19, 25, 60, 75], age, side="right"), :-1]
    activity: NDArray[np.int64] = (asked.u("activity")[:, None] >= bounds).sum(axis=1)
    return activity


def _accounts(
    asked: _Asked, bank: Flags, electronic: Flags, wallet: Flags, money: Flags, adult: Flags
) -> Columns:
    recent = ("days_30", "months_3", "months_12", "longer", "never")
    kind = np.where(bank, np.select([asked.u("joint") < 0.93, asked.u("joint") < 0.96], [0, 1], 2), 3)
    pays = (electronic | wallet | money).astype(float)
    return {
        "bank_account": asked.choose("bank_account", ("own", "joint", "both", "no"), kind, adult),
        "bank_electronic": asked.yes_no("bank_electronic", electronic, adult & bank),
        "bank_last_use": asked.by_chance(
            "bank_last_use", recent, (0.7, 0.15, 0.08, 0.05, 0.02), adult & bank
        ),
        "other_account": asked.yes_no("other_account", asked.u("other") < 0.05, adult),
        "wallet": asked.yes_no("wallet", wallet, adult),
        "wallet_last_use": asked.by_chance(
            "wallet_last_use", recent, (0.6, 0.2, 0.1, 0.07, 0.03), adult & wallet
        ),
        "mobile_money": asked.yes_no("mobile_money", money, adult),
        "mobile_money_last_use": asked.by_chance(
            "mobile_money_last_use", recent, (0.5, 0.2, 0.15, 0.1, 0.05), adult & money
        ),
        "payments_made": asked.several(
            "payments_made",
            {"bills": 0.6 * pays, "shops": 0.65 * pays, "online": 0.4 * pays, "transfer": 0.6 * pays},
            "none",
        ),
        "payments_received": asked.several(
            "payments_received", {"wages": 0.5 * pays, "pension": 0.12 * pays, "family": 0.3 * pays}, "none"
        ),
        "no_account_reasons": asked.several(
            "no_account_reasons",
            {"cash": 0.6, "family": 0.3, "no_money": 0.25, "no_skill": 0.4, "distrust": 0.2},
        ),
    }
