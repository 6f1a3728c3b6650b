"""The settings of an index that bear on its mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lolbin_rules.errors import StoreRejected

__all__ = ["IndexSettings", "flag", "whole_number"]

_MAPPING = "index.mapping"
_ANALYSIS = "index.analysis"
_MOST_FIELDS = 1000
_MOST_DEPTH = 20


def flag(value: Any, name: str) -> bool:
    """A value that is true or false, as JSON or as text; `name` says what it is the value of.

    Raises:
        StoreRejected: it is something else.
    """
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    raise StoreRejected(f"{name} is {value!r}, and Elasticsearch takes only true or false. Correct the mapping.")


def whole_number(value: Any, name: str) -> int:
    """A value that is a number of zero or more, as JSON or as text; `name` says what it is the value of.

    Raises:
        StoreRejected: it is something else.
    """
    text = value if isinstance(value, str) else repr(value)
    if not (text.isascii() and text.isdecimal()):
        raise StoreRejected(
            f"{name} is {value!r}, and Elasticsearch takes a number of zero or more. Correct the mapping."
        )
    return int(text)


class IndexSettings:
    """What the settings of an index say of its fields; they may be nested, dotted, and begin with `index` or not.

    Attributes:
        ignores_malformed: what fields do that do not say so themselves, as `coerces` and `ignore_above`.
        most_fields: objects, fields, sub-fields and aliases together.
        drops_beyond_limit: fields beyond `most_fields` are not mapped, instead of refusing the document.
        most_depth: names that a field may stand under.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        flat = dict(_flat(settings, ""))
        self.ignores_malformed = flag(flat.get(f"{_MAPPING}.ignore_malformed", False), f"{_MAPPING}.ignore_malformed")
        self.coerces = flag(flat.get(f"{_MAPPING}.coerce", True), f"{_MAPPING}.coerce")
        self.ignore_above = self._number(flat, "ignore_above")
        self.most_fields = self._number(flat, "total_fields.limit", _MOST_FIELDS) or 0
        drops = f"{_MAPPING}.total_fields.ignore_dynamic_beyond_limit"
        self.drops_beyond_limit = flag(flat.get(drops, False), drops)
        self.most_depth = self._number(flat, "depth.limit", _MOST_DEPTH) or 0
        self._normalizers = _named(flat, f"{_ANALYSIS}.normalizer.")
        self._analyzers = _named(flat, f"{_ANALYSIS}.analyzer.")

    def normalizer(self, name: str) -> str | None:
        """What a normalizer is: "lowercase", "other", or None where there is none of that name."""
        if name not in self._normalizers:
            return "lowercase" if name == "lowercase" else None
        definition = dict(self._normalizers[name])
        kind = definition.pop("type", "custom")
        is_lowercase = definition.pop("filter", ()) in ("lowercase", ["lowercase"]) or kind == "lowercase"
        return "lowercase" if is_lowercase and not definition and kind in ("custom", "lowercase") else "other"

    def is_built_in(self, normalizer: str) -> bool:
        """Whether the index does not define a normalizer of that name itself."""
        return normalizer not in self._normalizers

    def is_standard(self, analyzer: str) -> bool:
        """Whether the analyzer of that name (`default` is what fields have that name none) is the standard one."""
        if analyzer in self._analyzers:
            return self._analyzers[analyzer] == {"type": "standard"}
        return analyzer in ("standard", "default")

    @staticmethod
    def _number(flat: Mapping[str, Any], key: str, otherwise: int | None = None) -> int | None:
        value = flat.get(f"{_MAPPING}.{key}")
        return otherwise if value is None else whole_number(value, f"{_MAPPING}.{key}")


def _flat(settings: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        name = prefix + key
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        else:
            yield (name if name.startswith("index.") else f"index.{name}"), value


def _named(flat: Mapping[str, Any], prefix: str) -> dict[str, dict[str, Any]]:
    """The definitions below a prefix: name -> key -> value."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in flat.items():
        if name.startswith(prefix):
            own, _, key = name.removeprefix(prefix).partition(".")
            # A list may be given as name.0, name.1 as well.
            stem, _, place = key.rpartition(".")
            if place.isdecimal():
                found.setdefault(own, {}).setdefault(stem, []).append(value)
            else:
                found.setdefault(own, {})[key] = value
    return found
