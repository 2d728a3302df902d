"""YAML that people write, read into typed values, with every mistake at once and the line it stands on.

A field that is to be text stays the text that was written (`no`, `on`, `010` lose nothing), because the type decides
what a scalar means, not YAML's guess. Tags are refused, aliases and size are limited.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
import yaml
from msgspec import inspect

from survey.problems import BadDocument, Finding

T = TypeVar("T")
Path = tuple[str | int, ...]

LARGEST = 5_000_000  # characters; a questionnaire of 500 questions in four languages has about a tenth of it
MOST_NODES = 500_000
MOST_DEPTH = (
    200  # a questionnaire has about twenty levels; the parser in C ends the process at some ten thousand
)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same grammar in C, where it is there
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class Document:
    """A YAML document with the line of every value. `where(path)` is "file:line" for a person."""

    def __init__(self, root: yaml.Node | None, filename: str) -> None:
        self.root = root
        self.filename = filename

    def node(self, path: Path) -> yaml.Node | None:
        """The deepest node that exists along the path."""
        node = self.root
        for part in path:
            below = _child(node, part)
            if below is None:
                break
            node = below
        return node

    def where(self, path: Path) -> str:
        """The place of a value, or of the nearest thing that holds it."""
        node = self.root
        line = node.start_mark.line if node else 0
        for part in path:
            if isinstance(node, yaml.MappingNode):
                key = next((k for k, _ in node.value if k.value == part), None)
                if key is None:
                    break
                line = key.start_mark.line
            node = _child(node, part)
            if node is None:
                break
            if isinstance(part, int):
                line = node.start_mark.line
        return f"{self.filename}:{line + 1}"


def _child(node: yaml.Node | None, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        below = node.value[part]
        return below if isinstance(below, yaml.Node) else None
    return None


def load(text: str, filename: str) -> Document:
    """The document, or BadDocument when it is no YAML, too large, or uses tags."""
    if len(text) > LARGEST:
        raise BadDocument([_finding("too_large", filename, "tệp quá lớn", "the file is too large")])
    if _too_deep(text):
        raise BadDocument([_finding("too_deep", filename, "lồng quá nhiều tầng", "nested too deeply")])
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{filename}:{mark.line + 1}" if mark else filename
        raise BadDocument(
            [
                _finding(
                    "not_yaml", where, f"không đọc được YAML: {error.problem}", f"not YAML: {error.problem}"
                )
            ]
        ) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise BadDocument(
            [_finding("not_yaml", filename, "không đọc được YAML", f"not YAML: {error}")]
        ) from None
    document = Document(root, filename)
    findings = _refuse_dangers(document)
    if findings:
        raise BadDocument(findings)
    return document


def _too_deep(text: str) -> bool:
    """Whether brackets or indents nest beyond anything honest, counted without parsing: quoted brackets count too."""
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth = depth + 1 if bracket in "[{" else max(depth - 1, 0)
        if depth > MOST_DEPTH:
            return True
    return re.search(rf"^[ \t?:-]{{{2 * MOST_DEPTH}}}", text, re.MULTILINE) is not None


def _refuse_dangers(document: Document) -> list[Finding]:
    """Tags that would make objects, and aliases that would multiply into a bomb."""
    findings: list[Finding] = []
    waiting = [document.root] if document.root else []
    visited = 0
    while waiting:
        node = waiting.pop()
        visited += 1
        where = f"{document.filename}:{node.start_mark.line + 1}"
        if visited > MOST_NODES:
            return [_finding("too_large", where, "tệp quá lớn khi mở rộng", "the file expands to too much")]
        if not node.tag.startswith("tag:yaml.org,2002:") or "python" in node.tag:
            findings.append(
                _finding("tag", where, f"không dùng nhãn {node.tag}", f"the tag {node.tag} is refused")
            )
        if isinstance(node, yaml.MappingNode):
            waiting += [part for pair in node.value for part in pair]
            keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
            findings += [
                _finding("twice", where, f"khóa “{key}” viết hai lần", f"the key “{key}” stands twice")
                for key, times in sorted(keys.items())
                if times > 1
            ]
            findings += [
                _finding("key", where, "khóa phải là một giá trị đơn", "a key must be a single value")
                for key, _ in node.value
                if not isinstance(key, yaml.ScalarNode)
            ]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
    return findings


def convert(document: Document, kind: type[T]) -> T:
    """The value of type `kind` (msgspec Struct or dataclass). Raises BadDocument with every mistake found."""
    reader = _Reader(document)
    plain = reader.read(document.root, inspect.type_info(kind), ())
    if reader.findings:
        raise BadDocument(reader.findings)
    try:
        return msgspec.convert(plain, kind)
    except (msgspec.ValidationError, ValueError) as error:
        raise BadDocument([_finding("invalid", document.filename, str(error), str(error))]) from None


_WRONG = object()


class _Reader:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.findings: list[Finding] = []

    def read(self, node: yaml.Node | None, kind: inspect.Type, path: Path) -> Any:
        match kind:
            case inspect.Metadata():
                return self.read(node, kind.type, path)
            case inspect.UnionType():
                return self._union(node, kind, path)
            case inspect.StructType() | inspect.DataclassType():
                return self._fields(node, kind, path)
            case inspect.VarTupleType() | inspect.ListType():
                return self._sequence(node, kind.item_type, path)
            case inspect.DictType():
                return self._mapping(node, kind, path)
            case _:
                return self._scalar(node, kind, path)

    def _union(self, node: yaml.Node | None, kind: inspect.UnionType, path: Path) -> Any:
        if _null(node) and any(isinstance(part, inspect.NoneType) for part in kind.types):
            return None
        for part in kind.types:
            sequence = isinstance(part, inspect.VarTupleType | inspect.ListType)
            mapping = isinstance(part, inspect.StructType | inspect.DataclassType | inspect.DictType)
            fits = (
                sequence
                if isinstance(node, yaml.SequenceNode)
                else mapping
                if isinstance(node, yaml.MappingNode)
                else not (sequence or mapping or isinstance(part, inspect.NoneType))
            )
            if fits:
                return self.read(node, part, path)
        return self.read(node, kind.types[0], path)

    def _fields(
        self, node: yaml.Node | None, kind: inspect.StructType | inspect.DataclassType, path: Path
    ) -> Any:
        if not isinstance(node, yaml.MappingNode):
            return self._wrong(path, "cần một nhóm “khóa: giá trị”", "expected a mapping of keys to values")
        fields = {field.encode_name: field for field in kind.fields}
        result: dict[str, Any] = {}
        for key, value in node.value:
            field = fields.get(key.value)
            if field is None:
                close = difflib.get_close_matches(str(key.value), fields, 1)
                known = close or sorted(fields)
                self._say(
                    "unknown_key",
                    (*path, key.value),
                    f"không có khóa “{key.value}” ở đây",
                    f"there is no key “{key.value}” here",
                    ("có phải: " if close else "các khóa: ") + ", ".join(known),
                    ("did you mean: " if close else "keys: ") + ", ".join(known),
                )
                continue
            result[key.value] = self.read(value, field.type, (*path, key.value))
        for name, field in fields.items():
            if field.required and name not in result:
                self._say(
                    "missing_key",
                    path,
                    f"thiếu “{name}”",
                    f"“{name}” is missing",
                    f"thêm {name}:",
                    f"add {name}:",
                )
        return result

    def _sequence(self, node: yaml.Node | None, item: inspect.Type, path: Path) -> Any:
        if not isinstance(node, yaml.SequenceNode):
            return self._wrong(
                path, "cần một danh sách (mỗi dòng “- ”)", "expected a list (“- ” on each line)"
            )
        return [self.read(value, item, (*path, number)) for number, value in enumerate(node.value)]

    def _mapping(self, node: yaml.Node | None, kind: inspect.DictType, path: Path) -> Any:
        if not isinstance(node, yaml.MappingNode):
            return self._wrong(path, "cần một nhóm “khóa: giá trị”", "expected a mapping of keys to values")
        result = {}
        for key, value in node.value:
            name = self._scalar(key, kind.key_type, (*path, key.value))
            if name is not _WRONG:
                result[name] = self.read(value, kind.value_type, (*path, key.value))
        return result

    def _scalar(self, node: yaml.Node | None, kind: inspect.Type, path: Path) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            return self._wrong(path, "cần một giá trị đơn", "expected a single value")
        said = str(node.value)
        match kind:
            case inspect.StrType():
                return said
            case inspect.LiteralType():
                if said in kind.values:
                    return said
                names = ", ".join(str(value) for value in kind.values)
                return self._wrong(path, f"“{said}” không thuộc: {names}", f"“{said}” is none of: {names}")
            case inspect.BoolType():
                if said in ("true", "false"):
                    return said == "true"
                return self._wrong(path, f"“{said}”: viết true hoặc false", f"“{said}”: write true or false")
            case inspect.IntType():
                if re.fullmatch(r"-?\d+", said):
                    return int(said)
                return self._wrong(path, f"“{said}” không phải số nguyên", f"“{said}” is not a whole number")
            case inspect.FloatType():
                try:
                    return float(said.lstrip(".") if said in (".inf", ".nan") else said)
                except ValueError:
                    return self._wrong(path, f"“{said}” không phải số", f"“{said}” is not a number")
            case _:
                return said

    def _wrong(self, path: Path, vi: str, en: str) -> Any:
        self._say("wrong_type", path, vi, en)
        return _WRONG

    def _say(self, code: str, path: Path, vi: str, en: str, do_vi: str = "", do_en: str = "") -> None:
        name = ".".join(str(part) for part in path)
        remedy = {"vi": do_vi, "en": do_en} if do_en else {}
        prefix = f"{name}: " if name else ""
        self.findings.append(
            Finding(
                code=code,
                where=self.document.where(path),
                message={"vi": prefix + vi, "en": prefix + en},
                remedy=remedy,
            )
        )


def _null(node: yaml.Node | None) -> bool:
    return node is None or (isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null"))


def _finding(code: str, where: str, vi: str, en: str) -> Finding:
    return Finding(code=code, where=where, message={"vi": vi, "en": en})


def written(value: msgspec.Struct) -> str:
    """The value as YAML that `load` and `convert` read back the same; fields at their defaults are left out."""
    return str(yaml.dump(lean(value), Dumper=_DUMPER, allow_unicode=True, sort_keys=False, width=120))


@lru_cache(maxsize=64)
def _fields(kind: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)


def lean(value: Any) -> Any:
    """The value in plain dicts and lists, fields at their defaults left out."""
    if isinstance(value, msgspec.Struct):
        plain = {}
        for field in _fields(type(value)):
            held = getattr(value, field.name)
            if field.required or held != field.default:
                plain[field.encode_name] = lean(held)
        return plain
    if isinstance(value, dict):
        return {str(key): lean(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [lean(part) for part in value]
    return value
