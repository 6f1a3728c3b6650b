"""Where a rule stands in MITRE ATT&CK, in the shape that Elastic's rules and ECS use."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, ValidationInfo

from lolbin_rules.rule.refusal import Refusal, spoken
from lolbin_rules.rule.values import TEXT, Frozen, Shape, Text

__all__ = ["Named", "Subtechnique", "Tactic", "Technique", "Threat"]

SITE = "https://attack.mitre.org"


def _page_of_id(reference: str, info: ValidationInfo) -> str:
    """The page that carries the id: T1218.010 is at /techniques/T1218/010/."""
    identifier = info.data.get("id")
    kind = "tactics" if str(identifier).startswith("TA") else "techniques"
    page = f"{SITE}/{kind}/{str(identifier).replace('.', '/')}/"
    if identifier is None or reference.rstrip("/") == page.rstrip("/"):
        return reference
    raise Refusal(
        f"{spoken(reference)} is not the page of {identifier}",
        f"Write {page}, or correct the id.",
        consequence="the alerts would cite one and link to the other",
    )


def _belongs(subtechnique: Subtechnique, info: ValidationInfo) -> Subtechnique:
    technique = info.data.get("id")
    if technique is None or subtechnique.id.startswith(f"{technique}."):
        return subtechnique
    raise Refusal(
        f"{subtechnique.id} is no sub-technique of {technique}",
        f"Put it under technique {subtechnique.id.partition('.')[0]}, or correct one of the ids.",
        consequence="the alerts would count towards the wrong technique",
    )


TacticId: TypeAlias = Annotated[
    str, TEXT, Shape(r"^TA[0-9]{4}$", "no id of a tactic", "Write TA and four digits, such as TA0005.")
]
TechniqueId: TypeAlias = Annotated[
    str,
    TEXT,
    Shape(
        r"^T[0-9]{4}$",
        "no id of a technique",
        "Write T and four digits, such as T1218; a sub-technique such as T1218.010 goes under `subtechnique`.",
    ),
]
SubtechniqueId: TypeAlias = Annotated[
    str,
    TEXT,
    Shape(r"^T[0-9]{4}\.[0-9]{3}$", "no id of a sub-technique", "Write it with both numbers, such as T1218.010."),
]


class Named(Frozen):
    """A tactic, technique or sub-technique: what its page calls it."""

    id: Text = Field(description="Its id in ATT&CK.")
    name: Text = Field(description="Its name in ATT&CK.", examples=["System Binary Proxy Execution"])
    reference: Annotated[Text, AfterValidator(_page_of_id)] = Field(
        description="The address of its page at attack.mitre.org.", examples=[f"{SITE}/techniques/T1218/"]
    )


class Tactic(Named):
    """What the adversary is after."""

    id: TacticId = Field(description="Its id in ATT&CK.", examples=["TA0005"])


class Subtechnique(Named):
    """One way of using a technique."""

    id: SubtechniqueId = Field(description="Its id in ATT&CK, with both numbers.", examples=["T1218.010"])


class Technique(Named):
    """How the adversary does it, and the sub-techniques that are meant."""

    id: TechniqueId = Field(description="Its id in ATT&CK.", examples=["T1218"])
    subtechnique: tuple[Annotated[Subtechnique, AfterValidator(_belongs)], ...] = Field(
        default=(), description="The sub-techniques of it that the rule finds."
    )


class Threat(Frozen):
    """One tactic with its techniques."""

    framework: Literal["MITRE ATT&CK"] = Field(default="MITRE ATT&CK", description="The framework; only this one.")
    tactic: Tactic = Field(description="The tactic.")
    technique: tuple[Technique, ...] = Field(default=(), description="The techniques of it that the rule finds.")
