"""Some rows of one segment of one index: what aggregations are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lolbin_rules.dsl.column import Rows
from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.dsl.segment import Segment

__all__ = ["Owners", "Part"]

Owners = npt.NDArray[np.intp]
"""For each of some rows, the number of the bucket of the parent aggregation that it is in; a row may be in several."""


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one segment that a query has found.

    Attributes:
        mapping: what the fields of the index are.
        segment: where the rows are. It is not used any more once the next part is asked for.
        rows: the rows, ascending.
        hit: gives the hit of a row as a search shows it: `_index`, `_id`, `_source`. It is called for `top_hits` only,
            after the last part, so it has to work without the segment.
        index: the name of the index, for aggregations of `_index`.
    """

    mapping: IndexMapping
    segment: Segment
    rows: Rows
    hit: Callable[[int], Mapping[str, Any]]
    index: str = ""
