"""Runs conformance files on both interpreters and prints where they agree: python tests/conformance/run.py FILE…

The format is in README.md beside this file. Exit code 1 when an interpreter differs from what is written, or from the
other.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

import msgspec  # noqa: E402

from survey.problems import BadDocument  # noqa: E402
from survey.questionnaire.conditions import (  # noqa: E402
    ConditionError,
    Node,
    Scope,
    Seen,
    State,
    compile,
    evaluate,
    from_json,
    to_json,
)  # fmt: skip
from survey.questionnaire.index import TYPES  # noqa: E402
from survey.questionnaire.model import Kind  # noqa: E402
from survey.questionnaire.values import Scalar, Type, day_number, scalar  # noqa: E402

JSON = Any


@dataclass(frozen=True)
class Case:
    """One expression with what it looks at and what it must come to; `tree` is None where it is refused."""

    name: str
    tree: list[JSON] | None
    refused: str
    data: Mapping[str, JSON]
    row: str
    current: JSON
    type: str
    expected: JSON
    error: str


def read(path: Path) -> list[Case]:
    """The cases of a file, their sources compiled."""
    whole = json.loads(path.read_text(encoding="utf-8"))
    shared = {key: value for key, value in whole.items() if key not in ("cases", "about")}
    return [_case(shared, one) for one in whole["cases"]]


def _case(shared: Mapping[str, JSON], one: JSON) -> Case:
    if isinstance(one, list):
        one = {"source": one[0], "expected": one[1]}
    said: dict[str, JSON] = {**shared, **one}
    questions = {name: _seen(kind) for name, kind in said.get("questions", {}).items()}
    tree, refused = said.get("tree"), ""
    if tree is None:
        scope = Scope(
            question=questions.get, rosters=said.get("rosters", {}), roster=said.get("roster", ""),
            current=said.get("current_type"), facts=frozenset(said.get("facts", ())),
        )  # fmt: skip
        try:
            tree = to_json(compile(said["source"], scope))
        except ConditionError as error:
            refused = error.problem
    data = {**said.get("data", {}), "types": {name: seen.type for name, seen in questions.items()}}
    facts = said.get("facts")
    return Case(
        name=said.get("name") or said.get("source") or json.dumps(tree),
        tree=tree,
        refused=refused,
        data=data,
        row=said.get("row", ""),
        current=facts if facts is not None else said.get("current"),
        type="facts" if facts is not None else said.get("current_type", "text"),
        expected=canonical(said.get("expected")),
        error=said.get("error", ""),
    )


def _seen(said: JSON) -> Seen:
    """A question by its type, or by the kind of question that has it (`integer`, `select_many`)."""
    whole = {"type": said} if isinstance(said, str) else dict(said)
    kind = whole["type"]
    if kind not in get_args(Type):
        if kind not in get_args(Kind):
            raise ValueError(
                f"“{kind}” is neither a type ({', '.join(get_args(Type))}) nor a kind of question"
            )
        whole["type"] = TYPES.get(kind, "text")
    return Seen(**whole)


def canonical(expected: JSON) -> JSON:
    """What is expected, with numbers and dates as the fraction they are."""
    if isinstance(expected, dict) and "number" in expected:
        return {"number": str(Fraction(str(expected["number"])))}
    if isinstance(expected, dict) and "date" in expected:
        return {"number": str(day_number(expected["date"]))}
    return expected


def plain(value: Scalar) -> JSON:
    """A value as both interpreters write it down for comparison."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    return list(value) if isinstance(value, tuple) else {"number": str(value)}


def in_python(cases: Sequence[Case]) -> list[JSON]:
    """What the server's interpreter makes of compiled cases, read back from the same JSON as the phone's. A tree that is
    none fails by itself: {"error"}, as on the phone."""
    return [_evaluated(case) for case in cases]


def _evaluated(case: Case) -> JSON:
    try:
        return plain(_evaluate(case))
    except Exception as error:  # whatever a tree that nobody compiled does
        return {"error": f"{type(error).__name__}: {error}"}


def _evaluate(case: Case) -> Scalar:
    data, node = case.data, from_json(case.tree or [])
    current = case.current if case.type == "facts" else scalar(case.type, case.current)  # type: ignore[arg-type]
    return evaluate(node, state(data), case.row, current)


def state(data: Mapping[str, JSON]) -> State:
    types = data.get("types", {})
    return State(
        answers={
            row: {name: scalar(types[name], value) for name, value in said.items()}
            for row, said in data.get("answers", {}).items()
        },
        rosters={roster: tuple(rows) for roster, rows in data.get("rows", {}).items()},
        missing=data.get("missing", {}),
        draws=data.get("drawn", {}),
        labels=data.get("labels", {}),
        day=data.get("today", ""),
        response=data.get("response", ""),
    )


def engine() -> str:
    """The JavaScript engine at hand: "node", "chromium", or "" for none."""
    if shutil.which("node"):
        return "node"
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return ""
    return "chromium" if shutil.which("chromium") else ""


def in_javascript(cases: Sequence[Case]) -> list[JSON]:
    """What the phone's interpreter makes of compiled cases. Raises RuntimeError when there is no engine."""
    asked = [
        {"tree": case.tree, "data": case.data, "row": case.row, "current": case.current, "type": case.type}
        for case in cases
    ]
    return ask("answerCases", asked)


def ask(function: str, asked: JSON) -> list[JSON]:
    match engine():
        case "node":
            command = ["node", str(HERE / "run.mjs"), function]
            done = subprocess.run(
                command, input=json.dumps(asked), capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise RuntimeError(done.stderr)
            found: list[JSON] = json.loads(done.stdout)
            return found
        case "chromium":
            return _in_chromium(function, asked)
    raise RuntimeError("there is no JavaScript engine: install nodejs or chromium")


def _in_chromium(function: str, asked: JSON) -> list[JSON]:
    from playwright.sync_api import sync_playwright

    scripts = {path.name: path.read_text(encoding="utf-8") for path in [*(ROOT / "static/js").glob("*.mjs"), HERE / "answer.mjs"]}  # fmt: skip
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.route("**/*", lambda route: route.fulfill(
            body=scripts.get(route.request.url.rsplit("/", 1)[1], "<!doctype html><title>conformance</title>"),
            content_type="text/javascript" if route.request.url.endswith(".mjs") else "text/html",
        ))  # fmt: skip
        page.goto("http://conformance.invalid/")
        found: list[JSON] = page.evaluate(
            """async ([name, asked]) => {
                 const [own, ...modules] = await Promise.all(
                   ['answer', 'conditions', 'answers', 'response', 'routing', 'checks', 'outcome'].map((one) => import(`/${one}.mjs`)));
                 return own[name](Object.assign({}, ...modules), asked);
               }""",
            [function, asked],
        )
        browser.close()
        return found


def differences(cases: Sequence[Case]) -> Iterator[str]:
    """What is not as written, a line each."""
    compiled = [case for case in cases if case.tree is not None and not case.error]
    server = in_python(compiled)
    phone = in_javascript(compiled) if engine() else server
    for case, one, other in zip(compiled, server, phone, strict=True):
        for who, found in (("Python", one), ("JavaScript", other)):
            if isinstance(found, dict) and "error" in found:
                yield f"{case.name} @{case.row}: {who} fails: {found['error']}"
            elif found != case.expected or type(found) is not type(case.expected):
                yield f"{case.name} @{case.row}: expected {case.expected!r}, {who} says {found!r}"
    for case in cases:
        if case.error and case.error not in case.refused:
            yield f"{case.name}: should be refused with “{case.error}”, but: {case.refused or 'accepted'}"
        elif case.refused and not case.error:
            yield f"{case.name}: refused: {case.refused}"


def main(arguments: Sequence[str]) -> int:
    from tests.conformance import scenarios

    files = [Path(name) for name in arguments] or sorted(HERE.glob("*/*.json"))
    wrong = 0
    for path in files:
        try:
            whole = json.loads(path.read_text(encoding="utf-8"))
            if "scenarios" in whole:
                count, found = scenarios.check(path)
            else:
                cases = read(path)
                count, found = len(cases), list(differences(cases))
        except (
            OSError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            BadDocument,
            msgspec.MsgspecError,
        ) as error:
            print(
                f"{path.name}: not read: {type(error).__name__}: {error} (the format is in {HERE.name}/README.md)"
            )
            wrong += 1
            continue
        wrong += len(found)
        print(
            f"{path.name}: {count} cases, {len(found)} differences (Python and {engine() or 'no JavaScript'})"
        )
        for line in found:
            print(f"  {line}")
    return 1 if wrong else 0


__all__ = [
    "Case",
    "Node",
    "canonical",
    "differences",
    "engine",
    "in_javascript",
    "in_python",
    "plain",
    "read",
]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
