"""One drawn household with everything that its weight and its variance need; written once by the draw."""

from __future__ import annotations

from msgspec import Struct


class SampledUnit(Struct, frozen=True, kw_only=True):
    """A row of sample.csv. Never edited after the draw; `commune` and `urban_rural` are as drawn.

    stage1_probability × stage2_probability is the household's inclusion probability; `respondent_draw` is the
    pre-seeded number 0 ≤ u < 1 by which one person is drawn within the household.
    """

    case: str
    household: str
    stratum: str
    psu: str
    commune: str
    urban_rural: str
    stage1_probability: float
    stage2_probability: float
    psus_sampled: int
    psus_in_stratum: int
    households_sampled: int
    households_listed: int
    certainty: bool = False
    reserve: bool = False
    respondent_draw: float

    def __post_init__(self) -> None:
        for name, probability in (("1", self.stage1_probability), ("2", self.stage2_probability)):
            if not 0 < probability <= 1:
                raise ValueError(f"case {self.case}: the stage-{name} probability must be in (0, 1]")
        if not 0 < self.psus_sampled <= self.psus_in_stratum:
            raise ValueError(f"case {self.case}: {self.psus_sampled} of {self.psus_in_stratum} areas")
        if not 0 < self.households_sampled <= self.households_listed:
            raise ValueError(
                f"case {self.case}: {self.households_sampled} of {self.households_listed} households"
            )
        if not 0 <= self.respondent_draw < 1:
            raise ValueError(f"case {self.case}: the respondent draw must be in [0, 1)")
