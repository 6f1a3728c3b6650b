"""Dynamic mapping: how a key that nobody has mapped is mapped by the first document that has it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lolbin_rules.dsl.dates import DEFAULT_FORMATS, check_formats, parse_date
from lolbin_rules.dsl.index_settings import flag
from lolbin_rules.dsl.numerals import parse_double, parse_long
from lolbin_rules.errors import StoreRejected, Unsupported

__all__ = ["OBJECT_PARAMETERS", "DynamicMapping", "matches_pattern"]

_KINDS = ("object", "string", "long", "double", "boolean", "date", "binary")
OBJECT_PARAMETERS = frozenset({
    "type", "dynamic", "enabled", "subobjects", "properties", "include_in_all", "synthetic_source_keep",
    "store_array_source",
})  # fmt: skip
_TYPES = {"string": "text", "double": "float"}
"""What a kind of JSON value is mapped as, where that is not the kind itself."""
_MATCHERS = ("match", "unmatch", "path_match", "path_unmatch")
_PARAMETERS = frozenset(
    {*_MATCHERS, "match_mapping_type", "unmatch_mapping_type", "match_pattern", "mapping", "runtime"}
)
_CONDITIONS = ("match", "path_match", "match_mapping_type", "unmatch_mapping_type")
_DATE_FORMATS = ("||".join(DEFAULT_FORMATS), "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis")
_DYNAMIC_TYPE = ("{dynamic_type}", "{dynamicType}")
_VECTOR_SIZES = range(128, 4097)


def matches_pattern(pattern: str, text: str) -> bool:
    """Whether a pattern matches, in which `*` is any text, even none. Takes linear time."""
    first, *others = pattern.split("*")
    if not others:
        return pattern == text
    *inner, last = others
    place, end = len(first), len(text) - len(last)
    if end < place or not text.startswith(first) or not text.endswith(last):
        return False
    for part in inner:
        found = text.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True


@dataclass(frozen=True, slots=True)
class _Template:
    """One dynamic template: which new keys it is for, and what they are mapped as.

    Attributes:
        kinds: kinds of JSON values that it is for.
        patterns: parameter such as `match` -> its patterns; without the key, everything.
        is_regex: they are regular expressions.
        mapping: what is mapped, with placeholders.
    """

    kinds: frozenset[str]
    patterns: Mapping[str, tuple[str, ...]]
    is_regex: bool
    mapping: Mapping[str, Any]

    def is_for(self, kind: str, key: str, path: str) -> bool:
        if kind not in self.kinds:
            return False
        texts = {"match": key, "unmatch": key, "path_match": path, "path_unmatch": path}
        return all(
            any(self._matches(pattern, texts[name]) for pattern in patterns) != name.endswith("unmatch")
            for name, patterns in self.patterns.items()
        )

    def filled(self, kind: str, key: str) -> dict[str, Any]:
        """What a key is mapped as. Without a type, it is the kind's own; an object then has what objects may have."""
        filled: dict[str, Any] = _filled(self.mapping, key, _TYPES.get(kind, kind))
        if kind == "object" and filled.get("type", "object") == "object":
            return {key: value for key, value in filled.items() if key in OBJECT_PARAMETERS}
        return {"type": _TYPES.get(kind, kind), **filled}

    def _matches(self, pattern: str, text: str) -> bool:
        return bool(re.fullmatch(pattern, text)) if self.is_regex else matches_pattern(pattern, text)


class DynamicMapping:
    """The parameters of a mapping that say how new keys are mapped."""

    def __init__(self, mappings: Mapping[str, Any]) -> None:
        """Read the parameters of the whole document.

        Raises:
            StoreRejected: Elasticsearch refuses one of them.
            Unsupported: a date format or regular expression that cannot be read exactly.
        """
        self._detects_dates = flag(mappings.get("date_detection", True), "date_detection")
        self._detects_numbers = flag(mappings.get("numeric_detection", False), "numeric_detection")
        formats = mappings.get("dynamic_date_formats", _DATE_FORMATS)
        self._formats = [_date_format(each) for each in ([formats] if isinstance(formats, str) else formats)]
        templates = mappings.get("dynamic_templates", ())
        if not isinstance(templates, Sequence) or isinstance(templates, str):
            raise StoreRejected(
                f"dynamic_templates is {templates!r}, not a list of named objects. Correct the mapping."
            )
        self._templates = [_template(each) for each in templates]

    def examples(self) -> Iterator[list[dict[str, Any]]]:
        """For each template, what it maps a key named `example` as, for each kind of value that it is for."""
        for template in self._templates:
            yield [template.filled(kind, "example") for kind in _KINDS if kind in template.kinds]

    def object(self, key: str, path: str) -> dict[str, Any]:
        """What a key is mapped as whose first value is an object."""
        return self._from_template("object", key, path) or {}

    def scalar(self, key: str, path: str, value: Any) -> dict[str, Any]:
        """What a key is mapped as whose first value is this one."""
        kind, formats = self._kind(value)
        definition = self._from_template(kind, key, path)
        if definition is None:
            if kind == "string":
                return {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}
            definition = {"type": _TYPES.get(kind, kind)}
        is_other = definition["type"] == "date_nanos" or formats != DEFAULT_FORMATS
        if kind == "date" and definition["type"] in ("date", "date_nanos") and "format" not in definition and is_other:
            definition["format"] = "||".join(formats)
        return definition

    def vector(self, key: str, path: str, values: Sequence[Any]) -> dict[str, Any] | None:
        """What a key is mapped as whose first value is an array of fractions long enough for a vector, else None."""
        if len(values) not in _VECTOR_SIZES or not all(isinstance(value, float) for value in values):
            return None
        if self.scalar(key, path, 0.5) != {"type": "float"}:
            return None
        return {"type": "dense_vector", "dims": len(values)}

    def _kind(self, value: Any) -> tuple[str, tuple[str, ...]]:
        if isinstance(value, str):
            return self._kind_of_text(value)
        if isinstance(value, bool):
            return "boolean", ()
        return ("double" if isinstance(value, float) else "long"), ()

    def _kind_of_text(self, text: str) -> tuple[str, tuple[str, ...]]:
        if not self._detects_dates and not self._detects_numbers:
            return "string", ()
        if _is_long(text):
            return ("long" if self._detects_numbers else "string"), ()
        if _is_double(text):
            return ("double" if self._detects_numbers else "string"), ()
        for formats in self._formats if self._detects_dates else ():
            try:
                parse_date(text, formats)
            except ValueError:
                continue
            return "date", formats
        return "string", ()

    def _from_template(self, kind: str, key: str, path: str) -> dict[str, Any] | None:
        for template in self._templates:
            if template.is_for(kind, key, path):
                return template.filled(kind, key)
        return None


def _is_long(text: str) -> bool:
    return text.removeprefix("-").removeprefix("+").isdecimal() and _does_parse(parse_long, text)


def _is_double(text: str) -> bool:
    return _does_parse(parse_double, text)


def _does_parse(parse: Any, text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _date_format(written: Any) -> tuple[str, ...]:
    formats = tuple(str(written).split("||"))
    if not all(formats):
        raise StoreRejected(f"dynamic_date_formats has the format {written!r} with an empty part. Correct the mapping.")
    check_formats(formats, "dynamic_date_formats")
    return formats


def _template(written: Any) -> _Template:
    if not isinstance(written, Mapping) or len(written) != 1:
        raise StoreRejected(f"The dynamic template {written!r} is not one named object. Correct the mapping.")
    ((name, template),) = written.items()
    unknown = sorted(template.keys() - _PARAMETERS)
    if unknown:
        raise _refused(name, f"it has no parameter {', '.join(unknown)}")
    if "runtime" in template:
        raise Unsupported(
            f'The dynamic template "{name}" makes runtime fields, and the embedded store has none. Use `mapping`, or '
            "Elasticsearch."
        )
    if not isinstance(template.get("mapping"), Mapping):
        raise _refused(name, "it has no `mapping`")
    pattern_kind = str(template.get("match_pattern", "simple")).lower()
    if pattern_kind not in ("simple", "regex"):
        raise _refused(name, f"its match_pattern is {pattern_kind}")
    patterns = {key: tuple(map(str, _listed(template[key]))) for key in _MATCHERS if key in template}
    if pattern_kind == "regex":
        _check_expressions(name, [each for group in patterns.values() for each in group])
    return _Template(_kinds(name, template), patterns, pattern_kind == "regex", template["mapping"])


def _kinds(name: str, template: Mapping[str, Any]) -> frozenset[str]:
    wanted = list(map(str, _listed(template.get("match_mapping_type", "*"))))
    unwanted = list(map(str, _listed(template.get("unmatch_mapping_type", ()))))
    strange = [kind for kind in [*wanted, *unwanted] if kind not in (*_KINDS, "*")]
    if strange:
        raise _refused(name, f"there is no match_mapping_type {', '.join(strange)}")
    if not any(condition in template for condition in _CONDITIONS):
        return frozenset()  # as Elasticsearch does: what a template is not for does not say what it is for
    return frozenset(_KINDS if "*" in wanted else wanted).difference(_KINDS if "*" in unwanted else unwanted)


def _check_expressions(name: str, expressions: Sequence[str]) -> None:
    for expression in expressions:
        try:
            re.compile(expression)
        except re.error as error:
            raise Unsupported(
                f'The dynamic template "{name}" has the regular expression {expression!r}, which the embedded store '
                f"cannot read ({error}). Use another, or Elasticsearch."
            ) from error


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _filled(part: Any, key: str, dynamic_type: str) -> Any:
    """The mapping with its placeholders filled in; the name of the key cannot be a type."""
    if isinstance(part, Mapping):
        return {
            _text(name, key, dynamic_type): _text(value, None, dynamic_type)
            if name == "type" and isinstance(value, str)
            else _filled(value, key, dynamic_type)
            for name, value in part.items()
        }
    if isinstance(part, list | tuple):
        return [_filled(each, key, dynamic_type) for each in part]
    return _text(part, key, dynamic_type) if isinstance(part, str) else part


def _text(text: str, key: str | None, dynamic_type: str) -> str:
    for placeholder in _DYNAMIC_TYPE:
        text = text.replace(placeholder, dynamic_type)
    return text if key is None else text.replace("{name}", key)


def _refused(name: str, why: str) -> StoreRejected:
    return StoreRejected(f'Elasticsearch refuses the dynamic template "{name}": {why}. Correct the mapping.')
