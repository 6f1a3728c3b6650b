"""The options of one aggregation: read by name and type; what is left over is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lolbin_rules.errors import StoreRejected, Unsupported

__all__ = ["Options"]


class Options:
    """The body of an aggregation, such as `{"field": "host.name", "size": 10}`.

    Attributes:
        where: the aggregation, for messages: `aggregation "hosts" (terms)`.
    """

    def __init__(self, where: str, body: Any) -> None:
        self.where = where
        if not isinstance(body, Mapping):
            raise self.refusal(f"has {body!r} where its options belong")
        self._left: dict[str, Any] = dict(body)

    def refusal(self, what: str) -> StoreRejected:
        """The error of a request that Elasticsearch refuses as well."""
        return StoreRejected(f"The {self.where} {what}, so the request is refused. Correct it.")

    def unsupported(self, what: str) -> Unsupported:
        """The error of a request that cannot be answered exactly."""
        return Unsupported(f"The {self.where} {what}; the embedded store does not support that.")

    def has(self, name: str) -> bool:
        """Whether an option is there and not null."""
        return self._left.get(name) is not None

    def take(self, name: str, default: Any = None) -> Any:
        """An option of any type; null is as good as none."""
        value = self._left.pop(name, None)
        return default if value is None else value

    def rest(self) -> dict[str, Any]:
        """Everything that was not read."""
        rest, self._left = self._left, {}
        return rest

    def text(self, name: str) -> str | None:
        """A text."""
        value = self.take(name)
        if value is not None and not isinstance(value, str):
            raise self.refusal(f'has {value!r} as "{name}", which has to be a text')
        return value

    def field(self) -> str:
        """The name of the field."""
        name = self.text("field")
        if name is None:
            if "script" in self._left:
                raise self.unsupported('has a "script"')
            raise self.refusal('lacks "field"')
        return name

    def whole(self, name: str, default: int, least: int = 0) -> int:
        """A whole number, or a text of one."""
        value = self.take(name, default)
        try:
            number = int(value)
        except (TypeError, ValueError) as error:
            raise self.refusal(f'has {value!r} as "{name}", which has to be a whole number') from error
        if isinstance(value, bool) or number < least:
            raise self.refusal(f'has {value!r} as "{name}", which has to be a whole number of at least {least}')
        return number

    def number(self, name: str, default: float | None = None) -> float:
        """A number, or a text of one."""
        value = self.take(name, default)
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            raise self.refusal(f'has {value!r} as "{name}", which has to be a number') from error

    def flag(self, name: str, *, default: bool = False) -> bool:
        """True or false, also as a text."""
        value = self.take(name, default)
        if str(value).lower() not in ("true", "false"):
            raise self.refusal(f'has {value!r} as "{name}", which has to be true or false')
        return str(value).lower() == "true"

    def choice(self, name: str, known: tuple[str, ...], default: str) -> str:
        """One of several words."""
        value = str(self.take(name, default)).lower()
        if value not in known:
            raise self.refusal(f'has "{value}" as "{name}", which has to be one of {", ".join(known)}')
        return value

    def refuse(self, *names: str) -> None:
        """Options that aggregations of this type do not have, though others have them."""
        for name in names:
            if name in self._left:
                raise self.refusal(f'has the unknown option "{name}"')

    def ignore(self, *names: str) -> None:
        """Options that change how Elasticsearch works but not what it answers."""
        for name in names:
            self._left.pop(name, None)

    def finish(self, unsupported: tuple[str, ...] = ()) -> None:
        """Refuse what was not read: by name as unsupported, or as unknown to Elasticsearch, too."""
        for name in self._left:
            if name in (*unsupported, "script"):
                raise self.unsupported(f'has the option "{name}"')
            raise self.refusal(f'has the unknown option "{name}"')
