"""What may be shown: quality (F) and confidentiality (x), decided by rule and kept apart.

A share is shown, held back because it is too uncertain to be read (F), or held back because too few people stand
behind it (x). The two are different promises, to the reader and to the respondent, and never one symbol.

By default quality follows the standards of the United States National Center for Health Statistics for proportions (Parker
et al. 2017, Vital and Health Statistics 2(175)): the Korn-Graubard interval decides, not the coefficient of
variation, which for a share depends on whether one counts those who have or those who have not. Confidentiality
is a minimum number of respondents in the numerator and in its complement; that nothing held back can be worked out
from what is shown is the audit of `analysis.disclosure`. Offices that publish by the coefficient of variation have `statcan`.

These rules decide about shares. Rates, counts and magnitudes have other standards; do not use these for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scipy.special import betaincinv, stdtrit

Status = Literal["show", "F", "x"]
Reason = Literal[
    "empty",  # nobody of the sample is in this category
    "effective_sample",  # F: fewer than 30 respondents' worth of information
    "width",  # F: interval 30 points wide or more
    "relative_width",  # F: interval wider than 130 % of the share
    "variation",  # F: coefficient of variation above 33.3 %
    "few",  # F: fewer than 10 respondents in the denominator
    "cell",  # x: fewer respondents than the minimum have it
    "complement",  # x: fewer respondents than the minimum do not have it
    "complementary",  # x: would give away, by subtraction, a figure that is held back
    "difference",  # x: less another figure shown it would tell of fewer respondents than the minimum
    "earlier",  # x: next to an earlier release it would tell of the few who came or went
]
Flag = Literal[
    "complement_width",  # the share of those who do not is too uncertain: footnote it
    "few_degrees_of_freedom",  # fewer than 8: a statistician looks before it is quoted
    "all_or_none",  # 0 % or 100 % in the sample: a statistician looks
    "E",  # coefficient of variation above 16.5 %: use with caution
    "cv_F",  # coefficient of variation above 33.3 %, where another standard has decided to show it
]

# The numbers of the standard (Parker et al. 2017, table A), as constants so that a test can point at them.
MINIMUM_EFFECTIVE_SAMPLE = 30.0
NARROW = 0.05
WIDE = 0.30
RELATIVE = 1.30
FEW_DEGREES_OF_FREEDOM = 8.0
# Statistics Canada's bands of the coefficient of variation, in per cent rounded to a tenth, and its smallest sample.
CAUTION, TOO_VARIABLE = 16.5, 33.3
FEW_RESPONDENTS = 10


@dataclass(frozen=True, kw_only=True)
class Presentation:
    """Whether one share may be shown, why not, and the interval and effective sample the rule looked at."""

    status: Status
    reasons: tuple[Reason, ...] = ()
    flags: tuple[Flag, ...] = ()
    lower: float = float("nan")
    upper: float = float("nan")
    effective_sample: float = float("nan")

    @property
    def shown(self) -> bool:
        return self.status == "show"


def korn_graubard(
    share: float,
    standard_error: float,
    n: float,
    df: float,
    *,
    level: float = 0.95,
    adjust: bool = True,
) -> tuple[float, float, float]:
    """(effective sample, lower, upper): the Clopper-Pearson interval on an effective sample, as NCHS computes it.

    `n` counts the respondents in the denominator, `df` is PSUs less strata *that hold the domain*. The effective
    sample is corrected for the degrees of freedom (`adjust`; NHIS publishes without) and is never more than `n`.
    At 0 and 1 the variance says nothing, so the effective sample is `n`. Korn and Graubard 1998, Survey
    Methodology 24: 193-201; CDC `surveytable` for the order of the corrections.
    """
    if n <= 0:
        return 0.0, 0.0, 1.0
    tail = (1.0 - level) / 2.0
    if share <= 1e-12 or share >= 1.0 - 1e-12 or standard_error <= 0.0:
        effective = float(n)
    else:
        effective = share * (1.0 - share) / standard_error**2
        if adjust:
            if df <= 0:
                return 0.0, 0.0, 1.0
            if n > 1:
                effective *= float(stdtrit(n - 1.0, tail) / stdtrit(df, tail)) ** 2
        effective = min(effective, float(n))
    hits = effective * share
    misses = effective * (1.0 - share)
    lower = 0.0 if share <= 1e-12 else float(betaincinv(hits, misses + 1.0, tail))
    upper = 1.0 if share >= 1.0 - 1e-12 else float(betaincinv(hits + 1.0, misses, 1.0 - tail))
    return effective, lower, upper


def nchs(
    share: float,
    standard_error: float,
    n: float,
    df: float,
    *,
    level: float = 0.95,
    adjust: bool = True,
) -> Presentation:
    """The presentation standard for one share: show or hold back for quality, with what to look at.

    Exactly 5 points wide is narrow, exactly 30 is wide. A sample in which nobody or everybody has it is shown
    when the sample is large enough, and flagged.
    """
    if n <= 0:
        return Presentation(status="F", reasons=("empty",), effective_sample=0.0)
    effective, lower, upper = korn_graubard(share, standard_error, n, df, level=level, adjust=adjust)
    width = 0.0 if _all_or_none(share) else upper - lower
    reasons: tuple[Reason, ...] = ()
    flags: list[Flag] = []
    if effective < MINIMUM_EFFECTIVE_SAMPLE:
        reasons = ("effective_sample",)
    elif width >= WIDE:
        reasons = ("width",)
    elif width > NARROW and width / share > RELATIVE:
        reasons = ("relative_width",)
    elif width > NARROW and width / (1.0 - share) > RELATIVE:
        flags.append("complement_width")
    return _judged(share, df, (effective, lower, upper), reasons, flags)


def statcan(
    share: float,
    standard_error: float,
    n: float,
    df: float,
    *,
    level: float = 0.95,
    adjust: bool = True,
) -> Presentation:
    """Statistics Canada's rule: shown to a coefficient of variation of 16.5 %, to 33.3 % with E (use with caution), else F.

    Fewer than 10 respondents are F. The coefficient of a share depends on whether one counts those who have or those
    who have not: 2 % is held back where 98 % of the same people is shown. Choose it only where an office must.
    The Korn-Graubard interval and effective sample are given as by `nchs`. Statistics Canada, guides to the Canadian
    Community Health Survey (sampling variability guidelines).
    """
    if n <= 0:
        return Presentation(status="F", reasons=("empty",), effective_sample=0.0)
    limits = korn_graubard(share, standard_error, n, df, level=level, adjust=adjust)
    flags: list[Flag] = []
    reasons: tuple[Reason, ...] = ()
    variation = coefficient(share, standard_error)
    if n < FEW_RESPONDENTS:
        reasons = ("few",)
    elif variation > TOO_VARIABLE:
        reasons = ("variation",)
    elif variation > CAUTION:
        flags.append("E")
    return _judged(share, df, limits, reasons, flags)


def _all_or_none(share: float) -> bool:
    return share <= 1e-12 or share >= 1.0 - 1e-12


def _judged(
    share: float,
    df: float,
    limits: tuple[float, float, float],
    reasons: tuple[Reason, ...],
    flags: Sequence[Flag],
) -> Presentation:
    """The decision with what every standard says besides, and the effective sample and interval it looked at."""
    effective, lower, upper = limits
    more: list[Flag] = []
    if df < FEW_DEGREES_OF_FREEDOM:
        more.append("few_degrees_of_freedom")
    if _all_or_none(share):
        more.append("all_or_none")
    return Presentation(
        status="F" if reasons else "show",
        reasons=reasons,
        flags=(*flags, *more),
        lower=lower,
        upper=upper,
        effective_sample=effective,
    )


def coefficient(share: float, standard_error: float) -> float:
    """The coefficient of variation in per cent, rounded to a tenth as the bands are written; infinite for a share of 0."""
    return round(100.0 * standard_error / share, 1) if share > 1e-12 else float("inf")


def beside(presentation: Presentation, share: float, standard_error: float) -> Presentation:
    """The same decision with the letter that Statistics Canada's bands would give it: a second opinion, no decision."""
    variation = coefficient(share, standard_error)
    letter: tuple[Flag, ...] = (
        ("cv_F",) if variation > TOO_VARIABLE else ("E",) if variation > CAUTION else ()
    )
    if not presentation.shown or "E" in presentation.flags:
        return presentation
    return replace(presentation, flags=presentation.flags + letter)


def confidential(
    presentation: Presentation, numerator: float, denominator: float, minimum: int
) -> Presentation:
    """The same share with the promise to respondents kept: x when a side of it has fewer than `minimum` of them.

    `numerator` and `denominator` count respondents, unweighted. Zero is a small number too: that nobody of nine
    has an account says it of each of the nine. x goes before F, because quality may be traded and this may not.
    """
    reasons: list[Reason] = []
    if denominator <= 0:
        return replace(presentation, status="x", reasons=("empty",))
    if numerator < minimum:
        reasons.append("cell")
    if denominator - numerator < minimum:
        reasons.append("complement")
    if not reasons:
        return presentation
    return replace(presentation, status="x", reasons=tuple(reasons))
