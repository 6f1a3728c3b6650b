"""Templates are strict, sandboxed and bounded."""

from __future__ import annotations

import pytest

from lolbin_rules.errors import RenderError
from lolbin_rules.query.render import is_template, render


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain text with { braces }", "plain text with { braces }"),
        ("{{ vars.binary }}.exe", "regsvr32.exe"),
        ("{% for one in lists.names %}{{ one }};{% endfor %}", "a;b;"),
        ("{{ '<b>' }} is text, not markup & needs no escapes", "<b> is text, not markup & needs no escapes"),
    ],
)
def test_a_template_is_filled_from_its_context(template: str, expected: str) -> None:
    """Names of the context are filled in as they are."""
    assert expected == render(template, {"vars": {"binary": "regsvr32"}, "lists": {"names": ["a", "b"]}})


@pytest.mark.parametrize(
    "template",
    [
        "{{ vars.missing }}",
        "{{ missing }}",
        "{{ vars.binary",
        "{{ 1 / 0 }}",
        "{{ vars.__class__.__mro__ }}",
        "{{ ''.__class__.__subclasses__() }}",
        "{{ 'x' * 20000 }}",
        "{{ vars.update({'binary': 'y'}) }}",
        "{% for n in range(10**9) %}x{% endfor %}",
    ],
)
def test_a_template_that_cannot_be_filled_is_refused(template: str) -> None:
    """Unknown names, syntax errors, escapes from the sandbox, changes and explosions all raise RenderError."""
    with pytest.raises(RenderError, match="template"):
        render(template, {"vars": {"binary": "regsvr32"}})


def test_text_without_marks_is_no_template() -> None:
    """A text that Jinja2 would leave alone is not compiled at all."""
    assert not is_template("C:\\Users\\{guid}")
    assert is_template("{{ vars.x }}")
