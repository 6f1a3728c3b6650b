"""Values as literals of KQL, for those who write queries by program."""

from __future__ import annotations

__all__ = ["kql_quote"]


def kql_quote(value: str | float | bool) -> str:  # noqa: FBT001 - a value is what it is
    """The value in quotes, so that it means itself wherever KQL takes a value or a field name.

    Booleans become `"true"` and `"false"`, which fields of type boolean take; numbers become their digits.
    """
    text = str(value).lower() if isinstance(value, bool) else str(value)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
