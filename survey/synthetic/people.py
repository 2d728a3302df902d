"""The invented province: about 1.9 million people in half a million households, in memory as NumPy columns.

What makes it a fair trial of a survey is its structure, not its detail:

- neighbours are alike: communes and enumeration areas carry random effects, so clusters cost precision;
- members of one household are alike: they share one digital factor;
- age dominates: the young nearly all have a smartphone, half of the oldest have none;
- children under 15 are a quarter of the people and hold almost no payment account, which is why a share of "the
  population" and a share of "adults" answer different questions;
- the household listing holds dwellings where nobody lives, and the frame's counts are older than the listing's.

The constants below were chosen so that the shares come near published orders of magnitude (smartphones about
85 % of those aged 15 and over) and so that the target of the resolution is a close call (about 52 % of all ages).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]
Index = NDArray[np.int64]

HEAD, SPOUSE, CHILD, PARENT, GRANDCHILD, OTHER = range(6)
"""Relationship to the head of household, as a code of `Province.relationship`."""

MALE, FEMALE = 0, 1

EA_COUNT = 5_500
EA_SIZE = {"urban": 110.0, "rural": 101.0}  # mean dwellings of an enumeration area
COMMUNE_PEOPLE = {
    "urban": 34_000.0,
    "rural": 28_000.0,
}  # decides only how the areas are shared among communes
VACANT = 0.028  # dwellings on the listing where no household lives


@dataclass(frozen=True, kw_only=True)
class Commune:
    """A real commune of the territory: code and name from the official list, urban if it is a phường."""

    code: str
    name: str
    urban: bool


@dataclass(frozen=True, kw_only=True)
class Province:
    """Columns of communes, enumeration areas (EAs), dwellings and persons; the number is the identity.

    A dwelling is a line of the household listing. It holds one household (`size` > 0) or nobody (`size` 0).
    Persons of dwelling d are `first[d] : first[d] + size[d]`, the head first. Dwellings of EA a are
    `ea_first[a] : ea_first[a] + ea_dwellings[a]`. Every column has one entry for each EA (`ea_…`), each dwelling
    or each person, as its comment says.
    """

    seed: int
    reference_year: int
    communes: tuple[Commune, ...]
    ea_commune: Index  # EA → commune
    ea_first: Index  # EA → first dwelling
    ea_dwellings: Index  # EA → dwellings on the fresh listing
    ea_counted: Index  # EA → households as counted when the frame was made, some years before
    dwelling_ea: Index  # dwelling → EA
    size: Codes  # dwelling → persons, 0 where nobody lives
    first: Index  # dwelling → first person
    digital: (
        Floats  # dwelling → digital factor of the household: mean 0, about one unit of standard deviation
    )
    home_fixed: Flags  # dwelling → fixed broadband at home
    home_computer: Flags  # dwelling → desktop, laptop or tablet at home
    home_internet: Flags  # dwelling → Internet at home by any network
    household: Index  # person → dwelling
    age: Codes  # person → age in completed years on 31 December of the reference year
    sex: Codes  # person → MALE or FEMALE
    relationship: Codes  # person → HEAD … OTHER
    skill: Floats  # person → digital factor of the person: household, age, sex and chance
    owns_mobile: Flags  # person → has a mobile phone with an active SIM (SDG 5.b.1)
    smartphone: Flags  # person → that phone is a smartphone
    data_package: Flags  # person → mobile data on it
    uses_4g: Flags  # person → uses 4G or 5G on it
    internet: Flags  # person → used the Internet in the last three months
    bank: Flags  # person → account at a bank or similar, alone or joint
    bank_electronic: Flags  # person → operates that account electronically
    wallet: Flags  # person → e-wallet
    mobile_money: Flags  # person → Mobile Money

    @property
    def dwellings(self) -> int:
        """Lines of the household listing."""
        return len(self.size)

    @property
    def people(self) -> int:
        return len(self.age)

    @property
    def urban(self) -> Flags:
        """dwelling → in a phường."""
        by_commune = np.array([commune.urban for commune in self.communes])
        flags: Flags = by_commune[self.ea_commune[self.dwelling_ea]]
        return flags

    @property
    def pays_electronically(self) -> Flags:
        """person → holds an electronic payment account of any kind: the numerator of the resolution's target."""
        return self.bank_electronic | self.wallet | self.mobile_money


def make(communes: Sequence[Commune], seed: int, *, areas: int = EA_COUNT, year: int = 2025) -> Province:
    """The province of this seed; `areas` smaller than the default gives the same kind of province, smaller."""
    if areas < 2 * len(communes):
        raise ValueError(f"{len(communes)} communes need at least {2 * len(communes)} enumeration areas")
    rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, 1])))
    urban_commune = np.array([commune.urban for commune in communes])

    # Communes share the EAs by their (invented) population; each has at least two.
    people = np.where(urban_commune, COMMUNE_PEOPLE["urban"], COMMUNE_PEOPLE["rural"])
    people = people * rng.lognormal(0.0, 0.3, len(communes))
    size = np.where(urban_commune, EA_SIZE["urban"], EA_SIZE["rural"])
    ea_in_commune = _shares(people / size, areas - 2 * len(communes)) + 2
    ea_commune = np.repeat(np.arange(len(communes)), ea_in_commune)
    ea_urban = urban_commune[ea_commune]
    mean_size = np.where(ea_urban, EA_SIZE["urban"], EA_SIZE["rural"])
    ea_dwellings = np.clip(np.rint(mean_size * rng.lognormal(-0.02, 0.2, areas)), 42, 240).astype(np.int64)
    # The frame was counted earlier: some areas have grown since, most a little.
    ea_counted = np.maximum(np.rint(ea_dwellings * rng.normal(0.95, 0.07, areas).clip(0.72, 1.15)), 30)
    ea_first = np.concatenate(([0], np.cumsum(ea_dwellings)[:-1]))
    dwelling_ea = np.repeat(np.arange(areas), ea_dwellings)
    dwellings = len(dwelling_ea)

    ages, sexes, relations = _compose(rng, ea_urban[dwelling_ea])
    lived_in = rng.random(dwellings) >= VACANT
    present = (ages >= 0) & lived_in[:, None]
    household_size = present.sum(axis=1).astype(np.int8)
    first = np.concatenate(([0], np.cumsum(household_size, dtype=np.int64)[:-1]))
    household = np.repeat(np.arange(dwellings), household_size)
    age, sex, relationship = ages[present], sexes[present], relations[present]

    digital = _digital(rng, ea_urban, ea_commune, urban_commune, dwelling_ea, ages, present)
    columns = _possessions(rng, digital, ea_urban[dwelling_ea], household, household_size, age, sex)
    return Province(
        seed=seed,
        reference_year=year,
        communes=tuple(communes),
        ea_commune=ea_commune,
        ea_first=ea_first,
        ea_dwellings=ea_dwellings,
        ea_counted=ea_counted.astype(np.int64),
        dwelling_ea=dwelling_ea,
        size=household_size,
        first=first,
        digital=digital,
        household=household,
        age=age,
        sex=sex,
        relationship=relationship,
        **columns,
    )


def _shares(weights: NDArray[np.float64], total: int) -> Index:
    """Whole numbers with the given total, proportional to the weights (largest remainders)."""
    exact = weights / weights.sum() * total
    whole: Index = np.floor(exact).astype(np.int64)
    whole[np.argsort(whole - exact, kind="stable")[: total - int(whole.sum())]] += 1
    return whole


# Household forms: share among rural and urban households.
_FORMS = {
    "elderly_alone": (0.052, 0.040),
    "adult_alone": (0.033, 0.058),
    "elderly_couple": (0.070, 0.055),
    "couple": (0.060, 0.077),
    "family": (0.475, 0.500),
    "one_parent": (0.050, 0.055),
    "three_generations": (0.228, 0.192),
    "grandparents": (0.032, 0.023),
}
_SLOTS = 8  # head, spouse, two of the older generation, four children


def _compose(rng: np.random.Generator, urban: Flags) -> tuple[Codes, Codes, Codes]:
    """Ages (−1: no such member), sexes and relationships of the possible members of each dwelling's household."""
    n = len(urban)
    shares = np.array(list(_FORMS.values()))
    bounds = np.cumsum(shares, axis=0)
    bounds[-1] = 1.0
    u = rng.random(n)
    form = (u[:, None] >= bounds.T[urban.astype(int)][:, :-1]).sum(axis=1)
    is_form = {name: form == code for code, name in enumerate(_FORMS)}
    alone = is_form["elderly_alone"] | is_form["adult_alone"]
    elderly = is_form["elderly_alone"] | is_form["elderly_couple"] | is_form["grandparents"]
    parents = is_form["family"] | is_form["one_parent"] | is_form["three_generations"]

    ages = np.full((n, _SLOTS), -1, dtype=np.int8)
    sexes = rng.integers(0, 2, (n, _SLOTS), dtype=np.int8)
    # A few more boys than girls are born.
    sexes[:, 4:] = rng.random((n, 4), dtype=np.float32) > 0.523
    relations = np.empty((n, _SLOTS), dtype=np.int8)
    relations[:] = (HEAD, SPOUSE, PARENT, PARENT, CHILD, CHILD, CHILD, CHILD)

    head = rng.integers(24, 60, n)
    head[elderly] = np.minimum(60 + rng.gamma(2.2, 5.0, int(elderly.sum())).astype(int), 96)
    middle = is_form["three_generations"]
    head[middle] = rng.integers(27, 50, int(middle.sum()))
    young_parents = is_form["family"] | is_form["one_parent"]
    head[young_parents] = np.clip(rng.normal(41.5, 9.0, int(young_parents.sum())), 23, 64).astype(int)
    ages[:, 0] = head
    woman_heads = np.where(is_form["elderly_alone"], 0.76, np.where(is_form["one_parent"], 0.7, 0.24))
    sexes[:, 0] = rng.random(n) < woman_heads
    sexes[:, 1] = 1 - sexes[:, 0]
    one_only = alone | is_form["one_parent"] | (is_form["grandparents"] & (rng.random(n) < 0.4))
    difference = rng.integers(-1, 6, n)
    spouse = np.clip(head - np.where(sexes[:, 0] == MALE, difference, -difference), 19, 97)
    ages[:, 1] = np.where(one_only, -1, spouse)

    mother = np.where(one_only | (sexes[:, 0] == FEMALE), head, ages[:, 1].astype(int))
    grandmother = np.clip(mother + rng.integers(20, 33, n), 45, 97)
    ages[:, 2] = np.where(middle, grandmother, -1)
    sexes[:, 2] = FEMALE
    both = middle & (rng.random(n) < 0.52) & (grandmother < 88)
    ages[:, 3] = np.where(both, np.minimum(grandmother + rng.integers(-1, 7, n), 99), -1)
    sexes[:, 3] = MALE

    # Children: the first at about 25, the next two to six years later; the grown-up mostly live elsewhere.
    wanted = rng.choice(4, n, p=(0.20, 0.56, 0.21, 0.03)) + 1
    birth = mother - np.clip(rng.normal(24.8, 3.6, n), 17, 41).astype(int)
    for place in range(4):
        child = birth.copy()
        birth = birth - rng.integers(2, 7, n)
        stays = np.where(child < 18, 0.99, np.where(child < 23, 0.74, np.where(child < 31, 0.5, 0.2)))
        here = parents & (place < wanted) & (child >= 0) & (child < 55) & (rng.random(n) < stays)
        ages[:, 4 + place] = np.where(here, child, -1)
    # Grandchildren left with grandparents while the parents work elsewhere.
    kept = is_form["grandparents"]
    for place, share in enumerate((1.0, 0.55, 0.15)):
        here = kept & (rng.random(n) < share)
        ages[:, 4 + place] = np.where(here, rng.integers(1, 17, n), ages[:, 4 + place])
        relations[here, 4 + place] = GRANDCHILD
    return ages, sexes, relations


def _digital(
    rng: np.random.Generator,
    ea_urban: Flags,
    ea_commune: Index,
    urban_commune: Flags,
    dwelling_ea: Index,
    ages: Codes,
    present: Flags,
) -> Floats:
    """The household's digital factor: town, commune, neighbourhood, who lives there, and chance."""
    commune = rng.normal(0.0, 0.18, len(urban_commune))
    commune -= commune.mean()
    area = rng.normal(0.0, 0.70, len(ea_urban)) + commune[ea_commune] + np.where(ea_urban, 0.30, -0.18)
    working = (present & (ages >= 18) & (ages < 60)).any(axis=1)
    pupils = (present & (ages >= 6) & (ages < 18)).any(axis=1)
    own = rng.normal(0.0, 0.68, len(dwelling_ea)) + 0.22 * working + 0.15 * pupils - 0.28
    return (area[dwelling_ea] + own).astype(np.float32)


_AGE_POINTS = (6, 10, 13, 15, 18, 25, 35, 45, 55, 65, 75, 90)
_AGE_SKILL = (-2.6, -1.2, -0.1, 0.75, 1.45, 1.6, 1.35, 0.75, 0.0, -1.05, -2.2, -3.6)
_AGE_MONEY = (-6.0, -5.0, -4.0, -1.3, 0.55, 1.35, 1.25, 0.8, 0.25, -0.45, -1.3, -2.6)


def _possessions(
    rng: np.random.Generator,
    digital: Floats,
    urban: Flags,
    household: Index,
    household_size: Codes,
    age: Codes,
    sex: Codes,
) -> dict[str, Any]:
    """What is true of households and persons: each is a threshold on the digital factors plus its own chance.

    A chain of possession: a smartphone is a mobile phone, mobile data needs a smartphone, an e-wallet needs a
    mobile phone. Bank accounts follow age and work more than skill.
    """
    n = len(age)

    def chance(scale: float = 1.0) -> Floats:
        """Logistic noise of the usual scale: adding it and asking "> 0" is a logistic model."""
        u = rng.random(n, dtype=np.float32).clip(1e-6, 1 - 1e-6)
        noise: Floats = np.log(u / (1 - u)) * np.float32(scale)
        return noise

    years = np.arange(128)
    by_age = np.interp(years, _AGE_POINTS, _AGE_SKILL).astype(np.float32)[age]
    money_age = np.interp(years, _AGE_POINTS, _AGE_MONEY).astype(np.float32)[age]
    home = digital[household]
    skill = home * np.float32(0.9) + by_age + rng.standard_normal(n, dtype=np.float32) * np.float32(0.7)
    skill -= np.float32(0.12) * (sex == FEMALE) * (age >= 40)
    adult = age >= 15

    owns_mobile = chance() + skill * np.float32(0.9) + np.float32(3.6) > np.where(age < 12, 6.0, 0.0)
    owns_mobile &= age >= 6
    smartphone = owns_mobile & (chance() + skill * np.float32(1.35) + np.float32(2.5) > 0)
    data_package = smartphone & (chance() + skill * np.float32(0.9) + np.float32(1.75) > 0)
    uses_4g = data_package & (chance() + skill * np.float32(0.6) + np.float32(3.0) > 0)

    lived_in = household_size > 0
    draw = rng.random(len(digital)).clip(1e-6, 1 - 1e-6)
    noise = np.log(draw / (1 - draw))
    home_fixed = lived_in & (noise + 1.6 * digital + 1.0 + 0.25 * urban > 0)
    draw = rng.random(len(digital)).clip(1e-6, 1 - 1e-6)
    home_computer = lived_in & (np.log(draw / (1 - draw)) + 1.5 * digital - 1.15 + 0.35 * urban > 0)
    data_at_home = np.zeros(len(digital), dtype=bool)
    data_at_home[household[data_package]] = True
    home_internet = home_fixed | data_at_home

    online = data_package | home_internet[household]
    internet = (age >= 5) & (
        chance() + skill * np.float32(1.5) + np.where(smartphone, 2.6, 0.1) + 0.7 * online > 0
    )

    tie = home * np.float32(0.75) + money_age + rng.standard_normal(n, dtype=np.float32) * np.float32(0.4)
    bank = chance() + tie + np.float32(0.75) > 0
    by_phone = np.where(smartphone, np.float32(1.75), np.float32(-1.5))
    bank_electronic = bank & (chance() + skill * np.float32(0.7) + by_phone > 0)
    wallet = smartphone & (chance() + skill * np.float32(0.75) + tie * np.float32(0.25) - np.float32(1.9) > 0)
    mobile_money = owns_mobile & (chance() + np.float32(0.25) * tie - np.float32(2.75) > 0)
    # Children's accounts: a joint account opened by parents, or a wallet on the child's own phone.
    child = ~adult
    bank &= adult | (rng.random(n, dtype=np.float32) < np.where(age >= 6, 0.55, 0.25))
    bank_electronic &= bank
    wallet &= adult | (age >= 10)
    mobile_money &= ~child
    return {
        "home_fixed": home_fixed,
        "home_computer": home_computer,
        "home_internet": home_internet,
        "skill": skill,
        "owns_mobile": owns_mobile,
        "smartphone": smartphone,
        "data_package": data_package,
        "uses_4g": uses_4g,
        "internet": internet,
        "bank": bank,
        "bank_electronic": bank_electronic,
        "wallet": wallet,
        "mobile_money": mobile_money,
    }
