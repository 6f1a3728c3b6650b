"""Measures how many rules written in KQL and EQL are read and compiled in a second, on one core.

`python benchmarks/query_languages.py` makes rules as long and as varied as published ones, reads each, compiles each
for the types of its fields, and prints a table.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from generated import LOLBINS

from lolbin_rules.query.eql.compile import compile_event, compile_sequence
from lolbin_rules.query.eql.fields import eql_fields
from lolbin_rules.query.eql.nodes import EventQuery
from lolbin_rules.query.eql.syntax import parse_eql
from lolbin_rules.query.kql.compile import compile_kql
from lolbin_rules.query.kql.fields import kql_fields
from lolbin_rules.query.kql.syntax import parse_kql
from lolbin_rules.store.port import FieldTypes

RULES = 1000
REPEATS = 3
LEAST_A_SECOND = 500
NETWORKS = ["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "FE80::/10", "::1"]
WORDS = ["urlcache", "scrobj", "javascript:", "transfer", "decode", "http", "whoami", "-enc", "/i:", "DownloadFile"]
FOLDERS = ["\\Users\\Public\\", "\\ProgramData\\", "\\Windows\\Temp\\", "\\Users\\*\\AppData\\Local\\Temp\\"]
TYPES = {"destination.ip": "ip", "destination.port": "long", "process.pid": "long", "process.command_line": "text"}
"""Every other field is a keyword."""


def main() -> int:
    """Measure; 1 if KQL is slower than it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=int, default=RULES, help=f"how many of each language ({RULES})")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    random = Random(asked.seed)
    measured = [
        measure("KQL", [kql(random) for _ in range(asked.rules)], parse_kql, read_kql),
        measure("EQL events", [eql(random) for _ in range(asked.rules)], parse_eql, read_eql),
        measure("EQL sequences", [sequence(random) for _ in range(asked.rules)], parse_eql, read_eql),
    ]
    print(f"{'':14} {'rules':>6} {'characters':>11} {'longest':>8} {'parsed/s':>9} {'with compiling/s':>17}")
    for name, texts, parsed, compiled in measured:
        length, longest = statistics.mean(map(len, texts)), max(map(len, texts))
        print(f"{name:14} {len(texts):6} {length:11.0f} {longest:8} {parsed:9.0f} {compiled:17.0f}")
    is_met = measured[0][3] >= LEAST_A_SECOND
    print(f"At least {LEAST_A_SECOND} rules in KQL a second: {'met' if is_met else 'MISSED'}.")
    return 0 if is_met else 1


def measure(
    name: str, texts: Sequence[str], parse: Callable[[str], Any], read: Callable[[str, FieldTypes], Any]
) -> tuple[str, Sequence[str], float, float]:
    """Name, texts, and how many are parsed and how many are parsed and compiled in a second: the best of some times."""
    fields = {field for text in texts for field in (kql_fields(text) if name == "KQL" else eql_fields(parse_eql(text)))}
    types = FieldTypes(types={field: {TYPES.get(field, "keyword"): frozenset({"logs"})} for field in fields})
    parsed = min(seconds(lambda: [parse(text) for text in texts]) for _ in range(REPEATS))
    compiled = min(seconds(lambda: [read(text, types) for text in texts]) for _ in range(REPEATS))
    return name, texts, len(texts) / parsed, len(texts) / compiled


def seconds(work: Callable[[], Any]) -> float:
    """Of the processor, that it takes."""
    begun = time.process_time()  # whatever else the machine does meanwhile
    work()
    return time.process_time() - begun


def read_kql(text: str, types: FieldTypes) -> Any:
    """A rule in KQL, compiled."""
    return compile_kql(text, types, case_insensitive=True)


def read_eql(text: str, types: FieldTypes) -> Any:
    """A rule in EQL, compiled."""
    query = parse_eql(text)
    return compile_event(query, types) if isinstance(query, EventQuery) else compile_sequence(query, types)


def kql(random: Random) -> str:
    """A rule in KQL: a few conditions, lists of values, and what is excluded."""
    words = [f"*{word.replace(':', chr(92) + ':')}*" for word in random.sample(WORDS, random.randrange(1, 5))]
    folders = [f"C{chr(92)}:{escaped_path(folder)}*" for folder in random.sample(FOLDERS, 2)]
    conditions = [
        f"host.os.type:windows and event.category:{random.choice(['process', 'network', 'file', 'registry'])}",
        f"event.type:({random.choice(['start', 'change'])} or process_started)",
        f"process.name:({' or '.join(programs(random, 2, 6))})",
        f"process.args:({' or '.join(words)})",
    ]
    parents, port = " or ".join(programs(random, 2, 4)), random.randrange(1024, 9000)
    extras = [
        f"not process.executable:({' or '.join(folders)})",
        f"not destination.ip:({' or '.join(quoted(random.sample(NETWORKS, 5)))})",
        f'not user.id:("S-1-5-18" or "S-1-5-{random.randrange(19, 21)}")',
        f"(process.parent.name:({parents}) or destination.port >= {port})",
        'process.command_line:"process call create" and data_stream.dataset:*',
    ]
    return " and\n".join([*conditions, *random.sample(extras, random.randrange(1, 5))])


def quoted(values: Sequence[str]) -> list[str]:
    """Values in quotes."""
    return [f'"{value}"' for value in values]


def programs(random: Random, least: int, most: int) -> list[str]:
    """Names of programs in quotes."""
    return quoted([f"{name}.exe" for name in random.sample(LOLBINS, random.randrange(least, most + 1))])


def escaped_path(folder: str) -> str:
    """A folder with its backslashes doubled, as both languages want them; `*` stays a wildcard."""
    return folder.replace("\\", "\\\\")


def eql(random: Random) -> str:
    """A rule in EQL about single events."""
    return f"{random.choice(['process', 'any'])} where {event(random)}"


def event(random: Random) -> str:
    """What is asked of an event."""
    folders = ", ".join(quoted([f"C:{escaped_path(folder)}*" for folder in random.sample(FOLDERS, 2)]))
    words = ", ".join(quoted([f"*{word}*" for word in random.sample(WORDS, random.randrange(1, 5))]))
    parents, port = ", ".join(programs(random, 2, 4)), random.randrange(1024, 9000)
    extras = [
        f"not process.executable like~ ({folders})",
        f"not cidrmatch(destination.ip, {', '.join(quoted(NETWORKS[:5]))})",
        f'not (user.id in ("S-1-5-18", "S-1-5-19") and process.pid > {random.randrange(9)})',
        f"(process.parent.name : ({parents}) or destination.port >= {port})",
        'length(process.executable) > 200 and endsWith~(process.parent.name, "cmd.exe")',
    ]
    conditions = [
        'host.os.type == "windows" and event.type in ("start", "process_started")',
        f"process.name : ({', '.join(programs(random, 2, 6))})",
        f"process.args : ({words})",
        *random.sample(extras, random.randrange(1, 5)),
    ]
    return " and\n".join(conditions)


def sequence(random: Random) -> str:
    """A rule in EQL about two events in order."""
    second = f"process.parent.name : {programs(random, 1, 1)[0]} and not destination.ip == null"
    head = f"sequence by host.id, process.entity_id with maxspan={random.choice([1, 5, 30])}m"
    return f"{head}\n  [{eql(random)}]\n  [any where {second}]"


if __name__ == "__main__":
    sys.exit(main())
