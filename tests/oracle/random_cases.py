"""Asks R survey what nobody thought of: random designs, weighting steps, domains, functions and options.

    python tests/oracle/random_cases.py --seed 1 --count 300 --out random.json
    python tests/oracle/run.py random.json tests/oracle/data

Designs are those of the case files here and variations of them; steps, functions and arguments are drawn with the seed.
R (`answer.R`) answers; a case stays when R gives finite figures that its own iterations have settled. Left out besides:
what README.md lists as different on purpose and without a switch.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import random
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.oracle.run import read

Row = dict[str, Any]
HERE = Path(__file__).parent
SCHOOLS, PEOPLE = "schools", "people"
NUMBERS = {
    SCHOOLS: ["api00", "api99", "enroll", "api_stu", "meals", "ell", "mobility", "full", "growth", "hsg"],
    PEOPLE: ["age", "x", "income", "visits", "rare"],
}
WITH_GAPS = {SCHOOLS: ["acs_core", "target"], PEOPLE: ["x_na", "income_na"]}
POSITIVE = {SCHOOLS: ["enroll", "api_stu", "api99", "api00"], PEOPLE: ["age", "income"]}
WHOLE = {SCHOOLS: ["api99", "api00"], PEOPLE: ["age", "income"]}  # nobody is without a value
COUNTS = {SCHOOLS: ["enroll", "api_stu"], PEOPLE: ["visits"]}
YES_OR_NO = {SCHOOLS: ["sch_wide_01", "awards_01", "comp_imp_01", "meals_hi"], PEOPLE: ["x", "resp"]}
FACTORS = {SCHOOLS: ["stype", "sch_wide", "awards", "comp_imp"], PEOPLE: ["sex", "educ", "region", "agegrp"]}
BREAKDOWNS = {SCHOOLS: [], PEOPLE: ["commune", "dom_few", "dom_deg", "resp", "visits"]}
FUNCTIONS = [
    "mean",
    "total",
    "ratio",
    "ratio_separate",
    "var",
    "quantile",
    "cdf",
    "ciprop",
    "by",
    "by_ratio",
    "by_ciprop",
    "by_quantile",
    "contrast",
    "by_contrast",
    "table",
    "chisq",
    "ttest",
    "rank",
    "glm",
    "regterm",
    "predict",
    "weights",
    "degf",
    "kish",
    "kappa",
    "cronbach",
    "target_test",
]
RULES = ["math", "school", "shahvaish", *(f"hf{number}" for number in range(1, 10))]


def designs() -> list[Row]:
    """The designs of the case files without their steps, and some more."""
    found: dict[str, Row] = {}
    for name in ("cases.json.gz", "designs.json.gz"):
        for case in json.loads(gzip.decompress((HERE / name).read_bytes()))["cases"]:
            design = {key: value for key, value in case["design"].items() if key != "ops"}
            found[json.dumps(design, sort_keys=True)] = design
    plain = {"kind": "taylor", "nest": False, "lonely_psu": "fail"}
    more: list[Row] = [
        {"dataset": "apistrat.csv", "strata": ["stype"], "fpc": ["fpc"]},
        {"dataset": "apiclus1.csv", "ids": ["dnum"], "weights": "pw"},
        {"dataset": "synth_a.csv", "ids": ["psu_uid"], "strata": ["region"], "nest": True, "weights": "w"},
        {"dataset": "synth_a.csv", "strata": ["educ"], "weights": "w"},
        {"dataset": "synth_a.csv", "ids": ["commune"], "weights": "w0"},
    ]
    # Not asked at random: what R up to 4.2 does about lonely PSUs, and its domains of two phases (README.md).
    return [
        one
        for one in [*found.values(), *(plain | one for one in more)]
        if kind(one["dataset"]) and one.get("lonely_psu") != "adjust" and one.get("method") != "approx"
    ]


def kind(dataset: str) -> str:
    """Which variables a dataset has; "" for those that are too small for random questions."""
    return SCHOOLS if dataset.startswith("api") else PEOPLE if dataset.startswith(("synth", "lonely")) else ""


class Asker:
    """Draws cases; every method returns a part of one."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.designs = designs()
        self.tables: dict[str, pa.Table] = {}

    def case(self, number: int) -> Row:
        design = dict(self.draw.choice(self.designs))
        steps = self.steps(design)
        if steps:
            design["ops"] = steps
        return {
            "id": f"R-{number}",
            "tier": 1,
            "source": "R survey",
            "design": design,
            "call": self.call(design),
        }

    def column(self, dataset: str, name: str) -> list[Any]:
        if dataset not in self.tables:
            self.tables[dataset] = read(HERE / "data" / dataset)
        values: list[Any] = self.tables[dataset][name].to_pylist()
        return values

    def some(self, dataset: str, names: list[str], count: int = 1) -> list[str]:
        self.column(dataset, names[0]) if names else None
        there = [name for name in names if name in self.tables[dataset].column_names]
        return self.draw.sample(there, min(count, len(there)))

    def levels(self, dataset: str, name: str) -> list[Any]:
        return sorted({value for value in self.column(dataset, name) if value is not None})

    # ------------------------------------------------------------------------------------------------ steps

    def steps(self, design: Row) -> list[Row]:
        wanted = self.draw.choices([0, 1, 2], [50, 35, 15])[0]
        possible = [self.subset]
        if design["kind"] != "twophase":
            possible += [self.subset, self.poststratify, self.calibrate, self.calibrate, self.standardize]
        if design["kind"] == "taylor":
            possible.append(self.rake)  # R leaves replicates raked to five digits
        if design["kind"] == "taylor" and "weights" in design:
            possible.append(self.trim)
        return [self.draw.choice(possible)(design) for _ in range(wanted)]

    def weights(self, design: Row) -> list[float]:
        if "weights" in design:
            return [float(value) for value in self.column(design["dataset"], design["weights"])]
        return [30.0] * len(self.column(design["dataset"], FACTORS[kind(design["dataset"])][0]))

    def subset(self, design: Row) -> Row:
        data = design["dataset"]
        if self.draw.random() < 0.5:
            name = self.some(data, FACTORS[kind(data)])[0]
            levels = self.levels(data, name)
            how = self.draw.choice(["==", "!=", "in", "notin"])
            value: Any = self.draw.choice(levels)
            condition = {"var": name, "op": how, "value": [value] if "in" in how else value}
        elif self.draw.random() < 0.8:
            name = self.some(data, NUMBERS[kind(data)])[0]
            values = sorted(value for value in self.column(data, name) if value is not None)
            place = values[int(len(values) * self.draw.choice([0.3, 0.5, 0.7]))]
            condition = {"var": name, "op": self.draw.choice([">=", "<="]), "value": place}
        else:
            condition = {"var": self.some(data, WITH_GAPS[kind(data)])[0], "op": "notna"}
        return {"op": "subset", "filter": [condition]}

    def margin(self, design: Row, names: list[str], whole: float | None = None) -> list[Row]:
        """The sample's margin, moved a little."""
        sums: dict[tuple[Any, ...], float] = {}
        columns = [self.column(design["dataset"], name) for name in names]
        for weight, *cell in zip(self.weights(design), *columns, strict=True):
            sums[tuple(cell)] = sums.get(tuple(cell), 0.0) + weight
        moved = {cell: size * (1.0 + 0.05 * (k % 3)) for k, (cell, size) in enumerate(sorted(sums.items()))}
        scale = 1.0 if whole is None else whole / sum(moved.values())
        return [{**dict(zip(names, cell, strict=True)), "Freq": size * scale} for cell, size in moved.items()]

    def poststratify(self, design: Row) -> Row:
        names = self.some(design["dataset"], FACTORS[kind(design["dataset"])], self.draw.choice([1, 1, 2]))
        return {"op": "poststratify", "vars": names, "totals": self.margin(design, names)}

    def rake(self, design: Row) -> Row:
        whole = 1.05 * sum(self.weights(design))
        # Schools have awards only where they met their targets: R is slow to settle margins of both.
        names = self.some(design["dataset"], FACTORS[kind(design["dataset"])], 2)
        if kind(design["dataset"]) == SCHOOLS:
            names[0] = "stype" if "stype" not in names[1:] else "awards"
        margins = [{"vars": [name], "totals": self.margin(design, [name], whole)} for name in names]
        return {"op": "rake", "margins": margins, "maxit": 1000, "epsilon": 1e-10 * whole}

    def calibrate(self, design: Row) -> Row:
        data, weights = design["dataset"], self.weights(design)
        factors = self.some(data, FACTORS[kind(data)], self.draw.choice([0, 1, 1, 2]))
        numbers = self.some(data, WHOLE[kind(data)], 0 if factors and self.draw.random() < 0.5 else 1)
        no_constant = not factors and self.draw.random() < 0.5
        totals: Row = {} if no_constant else {"(Intercept)": sum(weights) * 1.05}
        for name in factors:
            for k, level in enumerate(self.levels(data, name)[1:]):
                held = sum(w for w, own in zip(weights, self.column(data, name), strict=True) if own == level)
                totals[f"{name}{level}"] = held * (1.06 + 0.04 * (k % 2))
        for name in numbers:
            totals[name] = 1.08 * sum(w * v for w, v in zip(weights, self.column(data, name), strict=True))
        distance = self.draw.choice(["linear", "linear", "raking", "logit", "sinh"])
        if design["kind"] == "replicate":  # where a replicate cannot keep bounds, R takes what it had by then
            distance = self.draw.choice(["linear", "raking"])
        step: Row = {
            "op": "calibrate",
            "formula": f"~ {' + '.join(factors + numbers)}{' - 1' if no_constant else ''}",
            "totals": totals,
            "calfun": distance,
        }
        if distance in ("logit", "sinh") or (design["kind"] != "replicate" and self.draw.random() < 0.2):
            step["bounds"] = self.draw.choice([[0.4, 3], [0.2, 5]])
        chance = self.draw.random()
        if chance < 0.15:
            step["trim"] = self.draw.choice([[0.9, 1.2], [0.95, 1.3]])
        elif chance < 0.3 and no_constant:
            step["variance"] = [1]
        elif chance < 0.45 and "ids" in design and design["kind"] == "taylor":
            step["aggregate_stage"] = 1
        return step

    def trim(self, design: Row) -> Row:
        weights = sorted(self.weights(design))
        step: Row = {"op": "trim", "upper": round(weights[int(0.9 * len(weights))] * 1.1, 1)}
        return step | ({"strict": True} if self.draw.random() < 0.4 else {})

    def standardize(self, design: Row) -> Row:
        first, second = self.some(design["dataset"], FACTORS[kind(design["dataset"])], 2)
        if kind(design["dataset"]) == SCHOOLS:  # every combination occurs
            first, second = "stype", "comp_imp"
        population = [self.draw.randint(5, 50) for _ in self.levels(design["dataset"], first)]
        return {"op": "standardize", "by": [first], "over": [second], "population": population}

    # ------------------------------------------------------------------------------------------------ calls

    def call(self, design: Row) -> Row:
        name = self.draw.choice(FUNCTIONS)
        made: Row | None = getattr(self, f"ask_{name}", self.ask_of_design)(design, kind(design["dataset"]))
        return self.call(design) if made is None else {"fn": name} | made

    def ask_of_design(self, design: Row, of: str) -> Row:
        return {}

    def level(self) -> Row:
        level = self.draw.choice([None, None, 0.9, 0.99, 0.8])
        return {} if level is None else {"level": level}

    def variables(self, design: Row, of: str, count: int = 1) -> Row:
        """Variables, now and then with missing values that are to be left out."""
        if self.draw.random() < 0.15:
            return {"vars": self.some(design["dataset"], WITH_GAPS[of]), "na_rm": True}
        return {"vars": self.some(design["dataset"], NUMBERS[of], count)}

    def ask_mean(self, design: Row, of: str) -> Row:
        made = self.variables(design, of, self.draw.choice([1, 2, 3])) | self.level()
        if "na_rm" not in made and self.draw.random() < 0.3:
            made["vars"] += self.some(design["dataset"], FACTORS[of])
        if self.draw.random() < 0.3 and design["kind"] != "twophase":
            made["deff"] = self.draw.choice(["true", "replace"])
        return made

    ask_total = ask_mean

    def ask_ratio(self, design: Row, of: str) -> Row:
        above = self.some(design["dataset"], NUMBERS[of], self.draw.choice([1, 2]))
        return {"num": above, "den": self.some(design["dataset"], POSITIVE[of])} | self.level()

    def ask_ratio_separate(self, design: Row, of: str) -> Row | None:
        if "strata" not in design:
            return None
        ratio = {
            "num": self.some(design["dataset"], NUMBERS[of]),
            "den": self.some(design["dataset"], POSITIVE[of]),
        }
        totals = {
            str(one): 1000.0 * k
            for k, one in enumerate(self.levels(design["dataset"], design["strata"][0]), 2)
        }
        return ratio | {"totals": totals}

    def ask_var(self, design: Row, of: str) -> Row:
        return self.variables(design, of)

    def ask_quantile(self, design: Row, of: str) -> Row:
        shares = sorted(self.draw.sample([0.1, 0.25, 0.333, 0.5, 0.75, 0.9], self.draw.choice([1, 2, 3])))
        how = self.draw.choice(["mean", "beta", "xlogit", "asin"])
        return self.variables(design, of) | self.level() | {
            "quantiles": shares, "interval_type": how, "qrule": self.draw.choice(RULES)
        }  # fmt: skip

    def ask_by_quantile(self, design: Row, of: str) -> Row:
        made = self.ask_quantile(design, of) | {"by": self.some(design["dataset"], FACTORS[of])}
        return made | {"quantiles": made["quantiles"][:1], "vars": self.some(design["dataset"], POSITIVE[of])}

    def ask_cdf(self, design: Row, of: str) -> Row:
        name = self.some(design["dataset"], NUMBERS[of])[0]
        values = sorted(self.column(design["dataset"], name))
        return {"vars": [name], "at": [float(values[int(share * len(values))]) for share in (0.2, 0.5, 0.8)]}

    def ask_ciprop(self, design: Row, of: str) -> Row:
        how = self.draw.choice(["logit", "xlogit", "mean", "asin", "beta"])
        made = {"vars": self.some(design["dataset"], YES_OR_NO[of]), "method": how} | self.level()
        return made | ({"df": self.draw.choice(["Inf", 20, 7.5])} if self.draw.random() < 0.3 else {})

    def ask_by_ciprop(self, design: Row, of: str) -> Row:
        made = self.ask_ciprop(design, of) | {"by": self.some(design["dataset"], FACTORS[of], 2)}
        return {key: value for key, value in made.items() if key != "df"}

    def ask_target_test(self, design: Row, of: str) -> Row:
        how = self.draw.choice(["less", "greater", "two_sided"])
        asked = {
            "vars": self.some(design["dataset"], YES_OR_NO[of]),
            "target": self.draw.choice([0.3, 0.5, 0.9]),
        }
        return asked | {"alternative": how} | self.level()

    def ask_by(self, design: Row, of: str) -> Row:
        by = self.some(design["dataset"], FACTORS[of] + BREAKDOWNS[of], self.draw.choice([1, 1, 2]))
        made = {"by": by, "inner": self.draw.choice(["mean", "total"])} | self.level()
        made |= {"vars": self.some(design["dataset"], [one for one in NUMBERS[of] if one not in by], 2)}
        joint = design["kind"] != "twophase" and design.get("lonely_psu", "fail") == "fail"
        return made | ({"covmat": True} if joint and self.draw.random() < 0.4 else {})

    def ask_by_ratio(self, design: Row, of: str) -> Row:
        return {
            "num": self.some(design["dataset"], NUMBERS[of]),
            "den": self.some(design["dataset"], POSITIVE[of]),
            "by": self.some(design["dataset"], FACTORS[of]),
        }

    def ask_contrast(self, design: Row, of: str) -> Row:
        a, b = self.some(design["dataset"], POSITIVE[of], 2)
        made: Row = {"inner": self.draw.choice(["mean", "total"]), "vars": [a, b]}
        if self.draw.random() < 0.4:
            return made | {"linear": {a: 0.5, b: -2}}
        return made | {
            "expr": self.draw.choice([f"{a}/{b}", f"log({a}/{b})", f"{a}^2/{b}", f"sqrt({a})-log({b})"])
        }

    def ask_by_contrast(self, design: Row, of: str) -> Row | None:
        if design["kind"] == "twophase" or design.get("lonely_psu", "fail") != "fail" or design.get("ops"):
            return None
        by = self.some(design["dataset"], [one for one in FACTORS[of] if one != "agegrp"])
        first, second, *_ = self.levels(design["dataset"], by[0])
        inner = self.draw.choice(["mean", "total"])
        return {"inner": inner, "vars": self.some(design["dataset"], NUMBERS[of]), "by": by,
                "linear": {first: 1, second: -1}}  # fmt: skip

    def ask_table(self, design: Row, of: str) -> Row:
        count = self.draw.choice([1, 2, 3])
        return {
            "formula": f"~ {' + '.join(self.some(design['dataset'], FACTORS[of] + BREAKDOWNS[of], count))}"
        }

    def ask_chisq(self, design: Row, of: str) -> Row:
        how = self.draw.choice(["F", "Chisq", "Wald", "adjWald", "saddlepoint", "lincom"])
        return {"formula": f"~ {' + '.join(self.some(design['dataset'], FACTORS[of], 2))}", "statistic": how}

    def ask_ttest(self, design: Row, of: str) -> Row:
        outcome = self.variables(design, of)["vars"][0]
        two = [one for one in FACTORS[of] if len(self.levels(design["dataset"], one)) == 2]
        return {"formula": f"{outcome} ~ {self.draw.choice(two) if self.draw.random() < 0.75 else 0}"}

    def ask_rank(self, design: Row, of: str) -> Row:
        outcome, group = (
            self.some(design["dataset"], POSITIVE[of])[0],
            self.some(design["dataset"], FACTORS[of])[0],
        )
        return {"formula": f"{outcome} ~ {group}",
                "test": self.draw.choice(["wilcoxon", "vanderWaerden", "median", "KruskalWallis"])}  # fmt: skip

    def model(self, design: Row, of: str) -> tuple[Row, list[str]]:
        family = self.draw.choice(
            ["gaussian", "quasibinomial", "binomial", "quasipoisson", "quasibinomial_probit"]
        )
        pool = YES_OR_NO if "binomial" in family else COUNTS if "poisson" in family else POSITIVE
        outcome = self.some(design["dataset"], (WITH_GAPS if self.draw.random() < 0.15 and family == "gaussian" else pool)[of])[0]  # fmt: skip
        factors = self.some(design["dataset"], FACTORS[of], self.draw.choice([1, 1, 2]))
        if of == SCHOOLS and family != "gaussian":
            factors = ["stype"]  # the others follow from one another
        numbers = self.some(
            design["dataset"], [one for one in POSITIVE[of] if one != outcome], self.draw.choice([0, 1])
        )
        terms = factors + numbers
        if len(factors) == 2 and self.draw.random() < 0.2 and family == "gaussian":
            terms = [f"{factors[0]} * {factors[1]}", *numbers]
        return {"formula": f"{outcome} ~ {' + '.join(terms)}", "family": family}, terms

    def ask_glm(self, design: Row, of: str) -> Row:
        return self.model(design, of)[0] | self.level()

    def ask_regterm(self, design: Row, of: str) -> Row | None:
        made, terms = self.model(design, of)
        if " * " in made["formula"]:
            return None
        how = self.draw.choice(["Wald", "WorkingWald", "LRT"])
        return made | {"terms": self.draw.sample(terms, self.draw.choice([1, len(terms)])), "method": how}

    def ask_predict(self, design: Row, of: str) -> Row | None:
        made, terms = self.model(design, of)
        if " * " in made["formula"]:
            return None
        columns = {name: self.column(design["dataset"], name) for name in terms}
        rows = [self.draw.randrange(len(columns[terms[0]])) for _ in range(3)]
        newdata = [{name: column[row] for name, column in columns.items()} for row in rows]
        return made | {"newdata": newdata, "type": self.draw.choice(["link", "response"])}

    def ask_kappa(self, design: Row, of: str) -> Row | None:
        return {"formula": "~ sch_wide + awards"} if of == SCHOOLS else None

    def ask_cronbach(self, design: Row, of: str) -> Row:
        return {"vars": self.some(design["dataset"], NUMBERS[of], self.draw.choice([2, 3, 4]))}


def in_r(value: Any) -> str:
    """A value as R writes it; numbers and texts of one kind become a vector."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, int | float):
        return repr(float(value))
    if isinstance(value, dict):
        return f"list({', '.join(f'`{key}` = {in_r(one)}' for key, one in value.items())})"
    if isinstance(value, list):
        flat = bool(value) and (
            all(isinstance(one, str) for one in value)
            or all(isinstance(one, int | float) and not isinstance(one, bool) for one in value)
        )
        return f"{'c' if flat else 'list'}({', '.join(in_r(one) for one in value)})"
    raise TypeError(f"{value!r} has no form in R")


def settled(case: Row, answer: Row) -> bool:
    """Whether R gives figures at all, and none that its own limits leave undetermined."""
    figures = [
        one for key, one in answer.items() if key in ("estimate", "se", "statistic", "F", "chisq", "df")
    ]
    flat = [one for figure in figures for one in (figure if isinstance(figure, list) else [figure])]
    if answer.get("error") or not all(isinstance(one, int | float) and math.isfinite(one) for one in flat):
        return False
    asked = case["call"]["fn"]
    if asked in ("ciprop", "by_ciprop"):  # shares of 0 and 1, where R's fits run away
        shares = answer["estimate"] if isinstance(answer["estimate"], list) else [answer["estimate"]]
        return all(1e-6 < share < 1 - 1e-6 for share in shares)
    if asked in ("glm", "predict") and case["call"]["family"] != "gaussian":  # fits that run away too
        return all(abs(one) < 10 for one in answer["estimate"])
    return True


def tolerances(case: Row, answer: Row) -> Row:
    """Nine digits where nothing iterates; fewer where R stops its iterations sooner."""
    steps = {step["op"] for step in case["design"].get("ops", [])}
    rtol = 1e-9
    if steps & {"calibrate", "standardize"} or case["call"]["fn"] in ("ciprop", "by_ciprop"):
        rtol = 1e-7
    if case["call"]["fn"] in ("glm", "regterm", "predict"):
        rtol = 1e-6
    if "rake" in steps:
        rtol = 1e-5
    estimate = answer.get("estimate", 0.0)
    size = max([0.0, *(abs(one) for one in (estimate if isinstance(estimate, list) else [estimate]))])
    fields = {"p_value": max(rtol, 2e-5), "lambda": max(rtol, 1e-6)}
    return {"rtol": rtol, "atol": 1e-9 * max(size, 1e-3), "rtol_fields": fields}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=300, help="cases asked; those that stay are fewer")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    asker = Asker(options.seed)
    cases = [asker.case(number) for number in range(options.count)]
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "cases.R", Path(folder) / "answers.json"
        lines = ",\n".join(in_r({"design": case["design"], "call": case["call"]}) for case in cases)
        asked.write_text(f"CASES <- list(\n{lines})\n")
        command = ["Rscript", str(HERE / "answer.R"), str(HERE / "data"), str(asked), str(answered)]
        subprocess.run(command, check=True)
        answers = json.loads(answered.read_text())
    kept = [
        case | tolerances(case, answer) | {"result": answer}
        for case, answer in zip(cases, answers, strict=True)
        if settled(case, answer)
    ]
    content = json.dumps({"meta": {"source": "R survey", "seed": options.seed}, "cases": kept}).encode()
    options.out.write_bytes(gzip.compress(content, mtime=0) if options.out.suffix == ".gz" else content)
    print(f"{len(kept)} of {len(cases)} cases kept")


if __name__ == "__main__":
    main()
