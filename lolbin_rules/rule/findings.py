"""What is wrong with keys taken together, said beside what pydantic finds wrong with each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import InitErrorDetails

if TYPE_CHECKING:
    from lolbin_rules.rule.refusal import Refusal

__all__ = ["Finding", "finding_details", "together"]


class Finding(NamedTuple):
    """What does not fit: where in the model, and why; without a reason the key is missing."""

    loc: tuple[str, ...]
    refusal: Refusal | None


def finding_details(finding: Finding, written: Mapping[str, Any]) -> InitErrorDetails:
    """A finding as pydantic keeps what it finds itself."""
    if finding.refusal is None:
        return InitErrorDetails(type="missing", loc=finding.loc, input=written)
    return InitErrorDetails(type="value_error", loc=finding.loc, input=written, ctx={"error": finding.refusal})


def together(error: ValidationError, findings: list[InitErrorDetails]) -> ValidationError:
    """What pydantic found and what was found besides, in one error."""
    faults = [
        InitErrorDetails(type=fault["type"], loc=fault["loc"], input=fault["input"], ctx=fault.get("ctx", {}))
        for fault in error.errors(include_url=False)
    ]
    return ValidationError.from_exception_data(error.title, [*faults, *findings])
