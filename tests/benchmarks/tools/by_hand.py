"""The limit: the same figures by group-bys and arithmetic written by hand, without checks, labels or domains to come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit, stdtrit
from scipy.special import logit as log_odds
from scipy.stats import beta

Margins = list[dict[int, float]]
NAMES = ["sex", "region", "age"]
W, WY = pl.col("w"), (pl.col("w") * pl.col("account")).alias("wy")


def shares(data: pl.DataFrame, by: tuple[str, ...] = ()) -> pl.DataFrame:
    """Shares and their standard errors: one group-by, then arithmetic on PSUs."""
    cells = data.group_by("stratum", "psu", *by).agg(W.sum(), WY.sum())
    return errors(cells, by)


def errors(cells: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    sizes = cells.group_by("stratum").agg(pl.col("psu").n_unique().alias("n"))
    names = list(by) or ["all"]
    cells = cells.with_columns(pl.lit(0).alias("all"))
    whole = cells.group_by(names).agg(W.sum().alias("W"), pl.col("wy").sum().alias("Y"))
    cells = cells.join(whole, on=names)
    cells = cells.with_columns(z=(pl.col("wy") - pl.col("Y") / pl.col("W") * W) / pl.col("W"))
    strata = cells.group_by("stratum", *names).agg(pl.col("z").sum(), (pl.col("z") ** 2).sum().alias("zz"))
    part = pl.col("n") / (pl.col("n") - 1) * (pl.col("zz") - pl.col("z") ** 2 / pl.col("n"))
    result = strata.join(sizes, on="stratum").group_by(names).agg(part.sum().sqrt().alias("se"))
    return result.join(whole, on=names).with_columns(p=pl.col("Y") / pl.col("W")).sort(names)


def figures(found: pl.DataFrame) -> list[float]:
    return [found["p"][0], found["se"][0]]


def share(data: pl.DataFrame, margins: Margins) -> list[float]:
    return figures(shares(data))


def communes(data: pl.DataFrame, margins: Margins) -> list[float]:
    return figures(shares(data, ("commune",)))


def fold(data: pl.DataFrame, margins: Margins) -> list[float]:
    cells = data.group_by("stratum", "psu", "commune").agg(W.sum(), WY.sum(), pl.len())
    return [cells["w"].sum(), cells["wy"].sum()]


def logit(data: pl.DataFrame, margins: Margins) -> list[float]:
    p, se = share(data, margins)
    half = stdtrit(freedom(data), 0.975) * se / (p * (1 - p))
    return [expit(log_odds(p) - half), expit(log_odds(p) + half)]


def freedom(data: pl.DataFrame) -> int:
    return int(data["psu"].n_unique() - data["stratum"].n_unique())


def korn_graubard(data: pl.DataFrame, margins: Margins) -> list[float]:
    p, se = share(data, margins)
    df, n = freedom(data), data.height
    size = p * (1 - p) / se**2 * (stdtrit(n - 1, 0.025) / stdtrit(df, 0.025)) ** 2
    return [
        beta.ppf(0.025, size * p, size * (1 - p) + 1),
        beta.ppf(0.975, size * p + 1, size * (1 - p)),
    ]


def cells_of(data: pl.DataFrame) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """The cells of the three margins with their sums of weights, in order, and each row's cell."""
    cells = data.group_by(NAMES).agg(W.sum()).sort(NAMES).with_row_index("cell")
    place = data.select(NAMES).join(cells.drop("w"), on=NAMES, maintain_order="left")["cell"]
    return cells, place.to_numpy().astype(np.int64)


def fitted(start: NDArray[np.float64], margins: Margins) -> NDArray[np.float64]:
    """Proportional fitting on the cells of the three margins (cells, or cells x replicates)."""
    shape = tuple(len(margin) for margin in margins)
    cells = start.reshape(*shape, -1).copy()
    for _ in range(15):
        for axis, margin in enumerate(margins):
            others = tuple(one for one in range(3) if one != axis)
            held = cells.sum(axis=others, keepdims=True)
            target = np.array([margin[level] for level in sorted(margin)])
            cells *= np.expand_dims(target.reshape(-1, 1), others) / held
    return cells.reshape(start.shape)


def raked(data: pl.DataFrame, margins: Margins) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    cells, cell = cells_of(data)
    start = cells["w"].to_numpy()
    return cell, data["w"].to_numpy() * (fitted(start, margins) / start)[cell]


def raking(data: pl.DataFrame, margins: Margins) -> list[float]:
    _, weight = raked(data, margins)
    return [weight.sum(), weight @ weight]


def raking_share(data: pl.DataFrame, margins: Margins) -> list[float]:
    """The residuals of the linearised share on the margins, which need only sums by cell."""
    cell, weight = raked(data, margins)
    y, size = data["account"].to_numpy(), weight.sum()
    p = weight @ y / size
    z = (y - p) / size
    start = data["w"].to_numpy()
    held, sums = np.bincount(cell, weights=start), np.bincount(cell, weights=start * z)
    places = np.unravel_index(np.arange(held.size), tuple(len(one) for one in margins))
    design = np.concatenate(
        [np.eye(len(one))[place] for one, place in zip(margins, places, strict=True)], axis=1
    )
    slopes = np.linalg.lstsq(design.T @ (design * held[:, None]), design.T @ sums, rcond=None)[0]
    left = weight * (z - (design @ slopes)[cell])
    units = data.select("stratum", "psu").with_columns(z=pl.Series(left))
    units = units.group_by("stratum", "psu").agg(pl.col("z").sum())
    strata = units.group_by("stratum").agg(pl.len().alias("n"), pl.col("z").var().alias("v"))
    return [p, float((strata["n"] * strata["v"]).sum()) ** 0.5]


def multiplicities(cells: pl.DataFrame, count: int) -> NDArray[np.float64]:
    """Rao-Wu multiplicities of PSUs (rows of `cells`, sorted by stratum) in each replicate."""
    generator, result = np.random.default_rng(1), np.empty((cells.height, count))
    start = 0
    for n in cells.group_by("stratum", maintain_order=True).len()["len"].to_list():
        times = generator.multinomial(n - 1, np.full(n, 1 / n), size=count)
        result[start : start + n] = times.T * (n / (n - 1))
        start += n
    return result


def replicates(data: pl.DataFrame, margins: Margins) -> list[float]:
    cells = data.group_by("stratum", "psu").agg(W.sum(), WY.sum()).sort("stratum")
    sums = cells.select("w", "wy").to_numpy().T @ multiplicities(cells, 500)
    return [float(cells["wy"].sum() / cells["w"].sum()), float(np.std(sums[1] / sums[0]))]


def replicates_raked(data: pl.DataFrame, margins: Margins) -> list[float]:
    unit = data.select("stratum", "psu").unique().sort("stratum").with_row_index("unit")
    place = data.select("psu").join(unit.select("psu", "unit"), on="psu", maintain_order="left")["unit"]
    (cells, cell), weight, y = cells_of(data), data["w"].to_numpy(), data["account"].to_numpy()
    count = cells.height
    key = place.to_numpy().astype(np.int64) * count + cell
    size = unit.height * count
    start = np.bincount(key, weights=weight, minlength=size).reshape(-1, count)
    sums = np.bincount(key, weights=weight * y, minlength=size).reshape(-1, count)
    times = multiplicities(unit, 500)
    before = start.T @ times
    factor = fitted(before, margins) / np.maximum(before, 1e-300)
    values = (sums.T @ times * factor).sum(axis=0) / (before * factor).sum(axis=0)
    whole = start.sum(axis=0)
    factor = fitted(whole, margins) / whole
    return [float(sums.sum(axis=0) @ factor / (whole @ factor)), float(np.std(values))]


def logistic(data: pl.DataFrame, margins: Margins) -> list[float]:
    """Newton's steps on the sums of twelve cells, then a sandwich from the sums by PSU and cell."""
    cells = data.group_by("stratum", "psu", "sex", "region").agg(W.sum(), WY.sum())
    place = (cells["sex"] * 6 + cells["region"]).to_numpy()
    w, wy = cells["w"].to_numpy(), cells["wy"].to_numpy()
    held, events = np.bincount(place, weights=w), np.bincount(place, weights=wy)
    sex, region = np.divmod(np.arange(12), 6)
    x = np.column_stack([np.ones(12), sex == 1, *(region == level for level in range(1, 6))]).astype(float)
    slopes = np.zeros(7)
    for _ in range(8):
        mu = expit(x @ slopes)
        inverse = np.linalg.inv(x.T @ (x * (held * mu * (1 - mu))[:, None]))
        slopes += inverse @ (x.T @ (events - held * mu))
    influence = (x @ inverse)[:, 1]
    units = cells.select("stratum", "psu").with_columns(u=pl.Series((wy - w * mu[place]) * influence[place]))
    units = units.group_by("stratum", "psu").agg(pl.col("u").sum())
    strata = units.group_by("stratum").agg(pl.len().alias("n"), pl.col("u").var().alias("v"))
    return [slopes[1], float((strata["n"] * strata["v"]).sum()) ** 0.5]


def further(data: Any, margins: Margins) -> list[float]:
    """On rows sorted by PSU once: two sums of slices."""
    order, starts, first, weight, sizes, income = data
    values = income[order]
    sums = np.add.reduceat(weight * values, starts)
    mean = sums.sum() / weight.sum()
    z = (sums - mean * sizes) / sizes.sum()
    n = np.diff(np.append(first, z.size))
    within = np.add.reduceat(z * z, first) - np.add.reduceat(z, first) ** 2 / n
    return [mean, float((n / (n - 1) * within).sum()) ** 0.5]


def _sorted(data: pl.DataFrame, margins: Margins) -> Any:
    stratum, psu = data["stratum"].to_numpy(), data["psu"].to_numpy()
    order = np.lexsort((psu, stratum))
    starts = np.flatnonzero(np.diff(psu[order], prepend=-1))
    first = np.flatnonzero(np.diff(stratum[order][starts], prepend=-1))
    weight = data["w"].to_numpy()[order]
    return order, starts, first, weight, np.add.reduceat(weight, starts), data["income"].to_numpy()


further.prepare = _sorted  # type: ignore[attr-defined]


def release(data: pl.DataFrame, margins: Margins) -> list[float]:
    """All indicators in one group-by for each breakdown; PSUs without members of a category count as zeros."""
    names = [name for name in data.columns if name.startswith("i")]
    units = data.select("stratum", "psu").unique().group_by("stratum").agg(pl.len().alias("n"))
    result: list[float] = []
    shares, centred = [f"p_{one}" for one in names], [f"z_{one}" for one in names]
    for by in (name for name in data.columns if name.startswith("d")):
        cells = data.group_by("stratum", "psu", by).agg(W.sum(), *((pl.col(one) * W).sum() for one in names))
        whole = cells.group_by(by).agg(
            W.sum().alias("W"),
            *((pl.col(one).sum() / W.sum()).alias(p) for one, p in zip(names, shares, strict=True)),
        )
        cells = cells.join(whole, on=by).with_columns(
            ((pl.col(one) - pl.col(p) * W) / pl.col("W")).alias(z)
            for one, p, z in zip(names, shares, centred, strict=True)
        )
        strata = cells.group_by("stratum", by).agg(
            *(pl.col(z).sum() for z in centred), *((pl.col(z) ** 2).sum().alias(f"{z}_2") for z in centred)
        )
        n = pl.col("n")
        found = strata.join(units, on="stratum").group_by(by).agg(
            (n / (n - 1) * (pl.col(f"{z}_2") - pl.col(z) ** 2 / n)).sum().sqrt().alias(z) for z in centred
        ).sort(by)  # fmt: skip
        result = result or [whole.sort(by)["p_i0"][0], found["z_i0"][0]]
    return result


SUMS = "SELECT stratum, psu, commune, sum(w) AS w, sum(w * account) AS wy, count(*) AS n FROM t GROUP BY ALL"


def file_fold(path: Path, margins: Margins) -> list[float]:
    cells = duckdb.connect().read_parquet(str(path)).query("t", SUMS).to_arrow_table()
    return [cells["w"].to_numpy().sum(), cells["wy"].to_numpy().sum()]


def file_communes(path: Path, margins: Margins) -> list[float]:
    cells = duckdb.connect().read_parquet(str(path)).query("t", SUMS).pl()
    return figures(errors(cells, ("commune",)))


file_fold.reads_the_file = file_communes.reads_the_file = True  # type: ignore[attr-defined]

TASKS: dict[str, Any] = {
    "share": share,
    "communes": communes,
    "fold": fold,
    "further": further,
    "logit": logit,
    "korn_graubard": korn_graubard,
    "raking": raking,
    "raking_share": raking_share,
    "replicates": replicates,
    "replicates_raked": replicates_raked,
    "logistic": logistic,
    "release": release,
    "file_fold": file_fold,
    "file_communes": file_communes,
}
