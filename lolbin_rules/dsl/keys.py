"""Keys of documents as paths: dots in a key are levels, as in Elasticsearch."""

from __future__ import annotations

from lolbin_rules.dsl.values import Malformed

__all__ = ["has_name", "path_of"]

# What strip() takes away and Java's idea of a blank does not.
_NOT_BLANK = str.maketrans(dict.fromkeys("\x85\xa0\u2007\u202f", "x"))


def path_of(key: str, *, has_levels: bool) -> list[str]:
    """The names that a key stands for; trailing dots are left out.

    Args:
        key: as the document has it.
        has_levels: False in an object without `subobjects`, where dots mean nothing.

    Raises:
        Malformed: Elasticsearch refuses such a key.
    """
    if not key:
        raise Malformed(key, "the name of a field cannot be empty")
    if has_levels and "." in key:
        path = key.rstrip(".").split(".")
        if not all(map(has_name, path)):
            raise Malformed(key, f"the name of a field cannot have empty or blank parts, as ['{key}'] has")
        return path
    if not has_name(key):
        raise Malformed(key, f"the name of a field cannot be blank: [{key}]")
    return [key]


def has_name(part: str) -> bool:
    """Whether a part of a key is a name: it has something that is not blank."""
    return bool(part.translate(_NOT_BLANK).strip())
