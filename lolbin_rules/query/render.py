"""Jinja2 for the texts of a rule: strict about names, sandboxed, and never used to build YAML or JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from lolbin_rules.errors import RenderError
from lolbin_rules.query.eql.writing import eql_quote
from lolbin_rules.query.kql.quoting import kql_quote

__all__ = ["is_template", "render"]

LONGEST = 10_000
"""Characters that a filled template may have; a reason or a value that is longer is a mistake."""

# What is filled in is the text of a query value or a sentence, never markup: nothing is escaped as HTML.
ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


def _listed(quote: Callable[[Any], str], separator: str) -> Callable[[Any], str]:
    """A filter that writes a value, or each value of a list, so that a query language takes it for nothing else."""

    def quoted(value: Any) -> str:
        if isinstance(value, list | tuple):
            return f"({separator.join(quote(each) for each in value)})"
        return quote(value)

    return quoted


ENVIRONMENT.filters["kql"] = _listed(kql_quote, " or ")
ENVIRONMENT.filters["eql"] = _listed(eql_quote, ", ")


def is_template(text: str) -> bool:
    """Whether the text holds anything that Jinja2 would replace."""
    return "{{" in text or "{%" in text or "{#" in text


@lru_cache(maxsize=4096)
def _template(text: str) -> Template:
    return ENVIRONMENT.from_string(text)


def render(template: str, context: Mapping[str, Any]) -> str:
    """Fill a template with the names of `context` (such as `vars`, `lists`, `event`).

    Raises:
        RenderError: the template cannot be parsed, asks for a name that is not there, reaches for something the
            sandbox forbids, or grows beyond 10,000 characters.
    """
    if not is_template(template):
        return template
    try:
        text = _template(template).render(context)
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise RenderError(f"template {template!r} cannot be filled: {error}") from error
    if len(text) > LONGEST:
        raise RenderError(f"template {template!r} grew to {len(text)} characters; at most {LONGEST} are allowed")
    return text
