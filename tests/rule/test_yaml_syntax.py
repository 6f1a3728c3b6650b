"""What is said of files that are no YAML, beyond the cases of `cases/yaml.yml`."""

from __future__ import annotations

import yaml

from lolbin_rules.rule.yaml_syntax import syntax_problem


def test_an_error_without_a_place() -> None:
    """A parser that does not say where it stumbled is quoted at the beginning of the file."""
    problem = syntax_problem(yaml.YAMLError("odd"), "a: b")
    assert problem.place == (1, 1)
    assert str(problem.refusal) == "not YAML: odd; the rest of the file was not read. Correct it."
