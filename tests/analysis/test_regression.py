"""Models of the population: digits of R in tests/oracle; here identities, and errors that say what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from analysis import Design, Mean, Proportion, estimate
from analysis.errors import EmptyDomain, MissingValues, NotConverged, NotPossible
from analysis.regression import regress
from analysis.replicates import jackknife

Maker = Callable[..., Any]


def test_a_model_of_groups_is_the_means_of_the_groups(sample: Maker) -> None:
    design = sample()
    means = estimate(design, Mean("income"), by="sex", deff=False)
    model = regress(design, "income", ["sex"])
    assert model.names == ("(Intercept)", "sexmale")
    assert model.coefficients[0].value == pytest.approx(means[0].value, rel=1e-12)
    assert model.coefficients[1].se == pytest.approx(means.contrast([-1.0, 1.0]).se, rel=1e-10)
    each = regress(design, "income", ["sex"], intercept=False)
    assert np.allclose(each.vcov, means.vcov, rtol=1e-9)


def test_a_saturated_logistic_model_is_the_shares(sample: Maker) -> None:
    design = sample()
    model = regress(design, "account", ["sex", "region", ("sex", "region")], family="binomial")
    fitted = model.predict({"sex": ["female", "male"], "region": ["south", "south"]}, scale="response")
    shares = estimate(
        design, Proportion("account"), by="sex", where=_is(design, "region", "south"), deff=False
    )
    assert np.allclose(fitted.values, shares.values, rtol=1e-9)
    assert np.allclose(fitted.standard_errors, shares.standard_errors, rtol=1e-8)


def _is(design: Design, name: str, label: str) -> Any:
    codes, labels = design.columns.codes(name)
    return codes == labels.index(label)


def test_cells_and_rows_give_one_answer(sample: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Categorical covariates are fitted on cells; made to take the rows, the figures are the same."""
    terms = ["sex", "members"]
    by_cells = regress(sample(), "account", terms, family="binomial", link="probit")
    monkeypatch.setattr("analysis.regression.PATTERNS", 0)
    by_rows = regress(sample(), "account", terms, family="binomial", link="probit")
    assert np.allclose(by_cells.coefficients.values, by_rows.coefficients.values, rtol=1e-10)
    assert np.allclose(by_cells.vcov, by_rows.vcov, rtol=1e-8)
    assert by_cells.dispersion == pytest.approx(by_rows.dispersion, rel=1e-10)
    for method in ("wald", "working_wald", "working_lrt"):
        first, second = by_cells.test("sex", method=method), by_rows.test("sex", method=method)  # type: ignore[arg-type]
        assert first.p_value == pytest.approx(second.p_value, rel=1e-6)


def test_the_scale_of_weights_does_not_matter(households: Maker) -> None:
    data = households()
    models = [
        regress(
            Design(data | {"w": data["w"] * scale}, weights="w", strata="stratum", clusters="psu"),
            "members",
            ["sex"],
            family="poisson",
        )
        for scale in (1.0, 1000.0)
    ]
    assert np.allclose(models[0].vcov, models[1].vcov, rtol=1e-9)
    tests = [model.test("sex", method="working_lrt") for model in models]
    assert tests[0].statistic == pytest.approx(tests[1].statistic, rel=1e-9)


def test_replicates_refit_and_come_near_linearisation(sample: Maker) -> None:
    plain = regress(sample(), "account", ["sex", "members"], family="binomial")
    again = regress(jackknife(sample()), "account", ["sex", "members"], family="binomial")
    assert np.allclose(plain.coefficients.values, again.coefficients.values)
    ratio = again.coefficients.standard_errors / plain.coefficients.standard_errors
    assert np.all((ratio > 0.9) & (ratio < 1.2))


def test_a_domain_keeps_the_psus_where_it_is_absent(sample: Maker) -> None:
    design = sample()
    inside = design.columns.numbers("members") >= 4
    model = regress(design, "income", ["sex"], where=inside)
    assert model.n == inside.sum()
    means = estimate(design, Mean("income"), by="sex", where=inside, deff=False)
    assert model.coefficients[1].se == pytest.approx(means.contrast([-1.0, 1.0]).se, rel=1e-10)
    assert np.isnan(model.fitted[~inside]).all()
    assert not np.isnan(model.fitted[inside]).any()


def test_what_cannot_be_fitted_says_why(households: Maker) -> None:
    data = households()
    data["double"] = data["members"] * 2.0
    data["rare"] = (data["sex"] == "male").astype(float)
    data["gone"] = np.where(np.arange(data["w"].size) < 3, np.nan, data["income"])
    design = Design(data, weights="w", strata="stratum", clusters="psu")
    with pytest.raises(NotPossible, match="double can be computed from the columns before"):
        regress(design, "income", ["members", "double"])
    with pytest.raises(NotConverged, match="no finite coefficient"):
        regress(design, "rare", ["sex"], family="binomial")
    with pytest.raises(NotPossible, match="binomial model cannot have"):
        regress(design, "income", ["sex"], family="binomial")
    with pytest.raises(MissingValues, match="rows 1, 2, 3"):
        regress(design, "gone", ["sex"])
    assert regress(design, "gone", ["sex"], missing="domain").coefficients[0].n_missing == 3
    with pytest.raises(EmptyDomain):
        regress(design, "income", ["sex"], where=np.zeros(design.rows, dtype=bool))
    with pytest.raises(NotPossible, match='not "logit"'):
        regress(design, "income", ["sex"], link="logit")
    model = regress(design, "income", ["sex", "members"])
    with pytest.raises(NotPossible, match="no term age in the model; it has sex, members"):
        model.test("age")
    with pytest.raises(NotPossible, match="level other"):
        model.predict({"sex": ["other"], "members": [2.0]})


def test_a_steep_fit_that_runs_away_is_one_clear_error(households: Maker) -> None:
    """The outcome follows from the covariate: no warnings of overflow on the way (they are errors in tests)."""
    data = households()
    data["many"] = (data["income"] > 3000.0).astype(float)
    for link in ("logit", "cloglog"):
        with pytest.raises(NotConverged, match="no finite coefficient"):
            regress(
                Design(data, weights="w", clusters="psu"), "many", ["income"], family="binomial", link=link
            )
