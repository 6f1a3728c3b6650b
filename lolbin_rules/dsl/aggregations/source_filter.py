"""`_source` of a request: which parts of a document are answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lolbin_rules.dsl.aggregations.options import Options

__all__ = ["SourceFilter"]

_GONE = object()
_ALL = "*"


class SourceFilter:
    """Keeps what is included and not excluded; objects and arrays that lose everything are lost as well.

    Attributes:
        is_wanted: False if no source is wanted at all.
    """

    def __init__(self, options: Options, asked: Any) -> None:
        self.is_wanted = asked is not False
        if asked is None or isinstance(asked, bool):
            includes, excludes = [], []
        elif isinstance(asked, Mapping):
            inner = Options(f'"_source" of the {options.where}', asked)
            includes = _paths(inner, inner.take("includes", inner.take("include", [])))
            excludes = _paths(inner, inner.take("excludes", inner.take("exclude", [])))
            inner.finish()
        else:
            includes, excludes = _paths(options, asked), []
        self._includes = [] if _ALL in includes else includes
        self._excludes = excludes

    def keep(self, source: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is left of a source."""
        if not self._includes and not self._excludes:
            return source
        pairs = ((key, self._kept(value, key)) for key, value in source.items())
        return {key: value for key, value in pairs if value is not _GONE}

    def _kept(self, value: Any, path: str) -> Any:
        is_full = not self._includes or _covers(self._includes, path)
        if _covers(self._excludes, path) or not (is_full or _reaches_below(self._includes, path)):
            return _GONE
        if is_full and not _reaches_below(self._excludes, path):
            return value
        if isinstance(value, Mapping):
            pairs = ((key, self._kept(each, f"{path}.{key}")) for key, each in value.items())
            kept: Any = {key: each for key, each in pairs if each is not _GONE}
        elif isinstance(value, list):
            kept = [each for each in (self._kept(element, path) for element in value) if each is not _GONE]
        else:
            return value if is_full else _GONE
        return kept if kept or (is_full and not value) else _GONE


def _covers(paths: list[str], path: str) -> bool:
    """Whether one of the paths is this one or one above it."""
    return any(path == each or path.startswith(f"{each}.") for each in paths)


def _reaches_below(paths: list[str], path: str) -> bool:
    return any(each.startswith(f"{path}.") for each in paths)


def _paths(options: Options, asked: Any) -> list[str]:
    paths = asked if isinstance(asked, list) else [asked]
    for path in paths:
        if not isinstance(path, str):
            raise options.refusal(f'has {path!r} in "_source", where the path of a field belongs')
        if _ALL in path and path != _ALL:
            raise options.unsupported(f'has the pattern "{path}" in "_source"')
    return [path for path in paths if path != _ALL] + ([_ALL] if _ALL in paths else [])
