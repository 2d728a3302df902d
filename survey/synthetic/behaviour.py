"""Who answers, how, and who does not: the field work of the invented province, decided without any web page.

The trap is set on purpose. A household answers online with a probability that rises steeply with the very thing
the survey measures, so web answers alone overstate every share, however many there are. Officials then visit all
the others. Who is found at home and who agrees depends there on town or village, on the size of the household, on
whether the person drawn is about, and hardly on digital life: within those groups the visited answer for the
visited. So a weighting that lets visited households, and not web households, stand for those who were visited in
vain is nearly unbiased; one that pools the two is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey.synthetic.people import MALE, Flags, Index, Province

FIELDWORK = 7
"""With the seed of the sample, the seed of the field work: the demonstration and the simulation play the same one."""
ATTEMPTS = 3
"""Visits an official makes before giving up."""

OUTCOMES = (
    "",  # answered online, nobody came
    "interviewed",
    "refused",
    "nobody_home",
    "respondent_away",
    "unable",
    "not_located",
    "vacant",
    "not_a_home",
)
"""Last outcome of the visits, as an index; the words are those of `survey.fieldwork.dispositions`."""

_INDEX = {outcome: np.int8(index) for index, outcome in enumerate(OUTCOMES)}


@dataclass(frozen=True, kw_only=True)
class Fieldwork:
    """What happened at each dwelling of a sample; every column has one entry for each.

    online: complete answers given by the household itself · broke_off: began online and left, then was visited
    · visits: how many were made · outcome: index into OUTCOMES of the last one.
    """

    online: Flags
    broke_off: Flags
    visits: NDArray[np.int8]
    outcome: NDArray[np.int8]

    @property
    def complete(self) -> Flags:
        """Complete answers, in any mode."""
        answered: Flags = self.online | (self.outcome == _INDEX["interviewed"])
        return answered

    @property
    def eligible(self) -> Flags:
        """Known to be an occupied dwelling: answered, or met, or seen to be lived in."""
        return ~np.isin(self.outcome, [_INDEX[word] for word in ("not_located", "vacant", "not_a_home")])

    @property
    def unknown(self) -> Flags:
        """Not known whether anybody lives there."""
        nobody_knows: Flags = self.outcome == _INDEX["not_located"]
        return nobody_knows


def online_probability(province: Province, dwellings: Index) -> NDArray[np.float64]:
    """Chance that the household answers online by itself: none without Internet and a smartphone of an adult."""
    able = np.zeros(province.dwellings, dtype=bool)
    able[province.household[province.smartphone & (province.age >= 18)]] = True
    able &= province.home_internet
    wish = -0.85 + 1.55 * province.digital[dwellings].astype(float)
    return np.where(able[dwellings], 1 / (1 + np.exp(-wish)), 0.0)


def play(province: Province, dwellings: Index, drawn: Index, rng: np.random.Generator) -> Fieldwork:
    """Play the field work at these dwellings.

    `drawn` is the person (index) whom the survey would select in each dwelling, −1 where nobody lives: an official
    may find the household but not that person. The same generator state gives the same field work.
    """
    n = len(dwellings)
    size = province.size[dwellings].astype(np.int64)
    lived_in = size > 0
    urban = province.urban[dwellings]
    digital = province.digital[dwellings].astype(float)

    begins = rng.random(n) < online_probability(province, dwellings)
    broke_off = begins & (rng.random(n) < 0.06)
    online = begins & ~broke_off

    located = rng.random(n) >= np.where(lived_in, 0.006, 0.10)
    at_home = 0.70 - 0.10 * urban + 0.045 * (np.minimum(size, 5) - 3)
    met_at = np.full(n, ATTEMPTS + 1, dtype=np.int8)
    for visit in range(ATTEMPTS, 0, -1):
        met_at = np.where(rng.random(n) < at_home, np.int8(visit), met_at)
    met = met_at <= ATTEMPTS
    refuses = rng.random(n) < 1 / (1 + np.exp(3.25 - 0.65 * urban + 0.10 * digital))
    who = np.maximum(drawn, 0)
    young_man = (province.sex[who] == MALE) & (province.age[who] < 40)
    away = rng.random(n) < np.where(young_man, 0.045, 0.012)
    unable = rng.random(n) < np.where(province.age[who] >= 75, 0.05, 0.003)

    outcome = np.full(n, _INDEX["interviewed"])
    # Each rule overrides those before it.
    outcome[unable] = _INDEX["unable"]
    outcome[away] = _INDEX["respondent_away"]
    outcome[refuses] = _INDEX["refused"]
    outcome[~met] = _INDEX["nobody_home"]
    empty = ~lived_in
    outcome[empty] = np.where(rng.random(n)[empty] < 0.8, _INDEX["vacant"], _INDEX["not_a_home"])
    outcome[~located] = _INDEX["not_located"]
    outcome[online] = _INDEX[""]
    gave_up = np.isin(outcome, [_INDEX["nobody_home"], _INDEX["not_located"], _INDEX["respondent_away"]])
    visits = np.where(gave_up, ATTEMPTS, np.minimum(met_at, ATTEMPTS))
    visits = np.where(empty & located, 1, visits)
    visits = np.where(online, 0, visits)
    return Fieldwork(online=online, broke_off=broke_off, visits=visits.astype(np.int8), outcome=outcome)
