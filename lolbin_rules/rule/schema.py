"""The JSON Schemas that editors check rule files with, made from the model.

`python -m lolbin_rules.rule.schema rule_defs` writes them into that folder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lolbin_rules.rule import model as models
from lolbin_rules.rule.model import ExceptionList, NamedList, Rule
from lolbin_rules.rule.model_problems import spellings_of
from lolbin_rules.rule.rule_kinds import kind_schemas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

__all__ = ["exception_list_schema", "list_schema", "rule_schema", "schema_texts", "write_schemas"]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def rule_schema() -> dict[str, Any]:
    """The JSON Schema of a rule: short forms and Elastic's names included."""
    schema = _schema(Rule, "A detection rule of lolbin-rules")
    nullable = frozenset(name for name, field in Rule.model_fields.items() if field.default is None)
    schema["allOf"] += kind_schemas({names[0]: names for names in spellings_of(Rule)}, nullable)
    return schema


def list_schema() -> dict[str, Any]:
    """The JSON Schema of a named list."""
    return _schema(NamedList, "A named list of lolbin-rules")


def exception_list_schema() -> dict[str, Any]:
    """The JSON Schema of an exception list."""
    return _schema(ExceptionList, "An exception list of lolbin-rules")


def schema_texts() -> dict[str, str]:
    """The files that carry the schemas: name -> text."""
    schemas = {
        "rule.schema.json": rule_schema(),
        "list.schema.json": list_schema(),
        "exception_list.schema.json": exception_list_schema(),
    }
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def _schema(model: type[BaseModel], title: str) -> dict[str, Any]:
    schema = model.model_json_schema()
    for node in _nodes(schema):
        _level(node)
        _simplify(node)
    for name, definition in {model.__name__: schema, **schema.get("$defs", {})}.items():
        if name != "Condition":
            _accept_other_names(definition, getattr(models, name))
    return {"$schema": DIALECT, **schema, "title": title}


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping inside a schema."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(part)


def _level(node: dict[str, Any]) -> None:
    """Undo what only some versions of pydantic write, so that all of them make the same schema."""
    if node.get("additionalProperties") is True:
        del node["additionalProperties"]
    if "const" in node:
        node.pop("enum", None)
    for choice in node.get("anyOf", ()):
        choice.pop("default", None)
    match node.get("allOf"):
        case [{"$ref": _} as reference]:
            del node["allOf"]
            others = dict(node)
            node.clear()
            node.update(reference, **others)


def _simplify(node: dict[str, Any]) -> None:
    """Refuse keys that no pattern allows, and leave out what goes without saying."""
    if patterns := node.pop("patternProperties", None):
        ((pattern, values),) = patterns.items()
        node.update(propertyNames={"pattern": pattern}, additionalProperties=values)
    for name, definition in node.get("properties", {}).items():
        if isinstance(definition, dict) and definition.get("title", "").lower() == name.replace("_", " "):
            del definition["title"]


def _accept_other_names(definition: dict[str, Any], model: type[BaseModel]) -> None:
    """Take a key by any of its names, but not by two of them at once."""
    rules: list[dict[str, Any]] = []
    for name, *others in filter(lambda names: len(names) > 1, spellings_of(model)):
        choices = [{"required": [spelling]} for spelling in (name, *others)]
        if name in definition.get("required", ()):
            definition["required"].remove(name)
            rules.append({"oneOf": choices})
        else:
            rules.append({"not": {"required": [name, *others]}})
        for other in others:
            elsewhere = {**definition["properties"][name], "description": f"Elastic's name of `{name}`."}
            definition["properties"][other] = elsewhere
    if rules:
        definition["allOf"] = rules


def write_schemas(folder: Path) -> None:
    """Write the files that carry the schemas into a folder."""
    for name, text in schema_texts().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
