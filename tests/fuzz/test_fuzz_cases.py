"""What the fuzzer once found, as small cases with the answers of a real node."""

from __future__ import annotations

import contextlib

import pytest

from fuzz.answers import Answer, brief
from fuzz.cases import Case, read_cases
from fuzz.kernel_side import Kernel
from fuzz.store_side import StoreSide


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: case.name)
def test_the_engine_answers_as_the_node_did(case: Case) -> None:
    """Every way of asking gives the recorded answer; unsupported is only what is marked so."""
    asked = [each["query"] for each in case.queries]
    with contextlib.closing(StoreSide(case.mappings, case.settings)) as store:
        kernel = Kernel(case.mappings, case.settings, store)
        assert sorted(kernel.add(case.documents)) == case.refused
        answers = kernel.ask(asked, case.now)
    wrong = [
        f"{each['query']}: {way} says {brief(answer)}, the node said {brief(expected)}"
        for each, expected, by_way in zip(case.queries, case.expected(), answers, strict=True)
        for way, answer in by_way.items()
        if not (answer.unsupported if each.get("unsupported") else _agrees(expected, answer))
    ]
    assert not wrong, "\n".join(wrong)


def _agrees(expected: Answer, answer: Answer) -> bool:
    """What the node refuses may be unsupported as well."""
    return expected.agrees(answer) or bool(expected.refused and answer.unsupported)
