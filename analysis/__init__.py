"""Design-based statistics: samples drawn by probability, weighted, and estimated with their true uncertainty.

    from analysis import Design, Proportion, estimate, verdict

    design = Design(persons, weights="w", strata="stratum", clusters="psu")
    share = estimate(design, Proportion("account"), where="adult")[0]
    share.value, share.se, share.df, share.n, share.deff, share.interval("logit", 0.95)
    verdict(share, 0.5, ">", alpha=0.05).outcome        # "met", "not met" or "not determined"

`Design(data, weights=, probabilities=, strata=, clusters=, fpc=, nest=, lonely_psu=, ...)` takes any data frame and is
checked when made. `design.weight` are its weights in force; `design.with_weights(new, step)` returns the design after
a weighting step; a step is any value with `name`, `residuals(weighted)` and `reweight(weights)`
(`adjustments.Adjustment`), and the variance takes the steps' residuals, the last step's first. `design.with_columns(name=array)` adds columns,
`design.columns.numbers(name)` / `.codes(name)` read them.

`estimate(design, statistic or statistics, by=, where=, missing=, df=, deff=) -> Estimates`, a sequence of `Estimate`
(statistic by statistic, within each domain by domain) with `.vcov`, `.contrast(...)`, `.of(label, **domain)`,
`.to_dicts()`, `.to_arrow()`. Statistics: `Proportion(column, category)`, `Mean`, `Total`, `Count`, `Ratio`,
`Difference`, `Smooth`; anything with `kind`, `label`, `width`, `parts` and `evaluate` is one.

`variance.of_influence(design, influence)` is the covariance matrix of statistics given by linearised values;
`design.replicates.weights(design)` and `.covariance(replicated, values)` do the same for replicates.
`difference(later, earlier)` compares independent samples. `quantiles.quantiles`, `agreement.kappa` and `.cronbach`,
`replicates.jackknife`, `.bootstrap`, `.balanced`, `.successive_differences`, `tables.fold` and `.estimate_table` (DuckDB,
Ibis), `calibration`, `nonresponse`, `trimming`, `regression.regress` and `hypotheses` (`t_test`, `independence`, `rank_test`) are in modules of their own and load when imported.
Errors are all `AnalysisError`. Formulas and their sources: docs/methods.md.
"""

from analysis.design import Design
from analysis.errors import AnalysisError
from analysis.estimates import Estimate, Estimates, difference, estimate
from analysis.estimators import Count, Difference, Mean, Proportion, Ratio, Smooth, Statistic, Total
from analysis.intervals import Interval
from analysis.targets import Verdict, verdict

__all__ = [
    "AnalysisError",
    "Count",
    "Design",
    "Difference",
    "Estimate",
    "Estimates",
    "Interval",
    "Mean",
    "Proportion",
    "Ratio",
    "Smooth",
    "Statistic",
    "Total",
    "Verdict",
    "difference",
    "estimate",
    "verdict",
]
