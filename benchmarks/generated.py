"""Events and rules for measurements: as skewed as real ones, and the same for the same seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from random import Random
from typing import Any, TypeAlias
from zlib import crc32

Json: TypeAlias = dict[str, Any]

START_MS = 1_790_000_000_000
DAYS = 14
RULES = 500

_KEYWORD: Json = {"type": "keyword", "ignore_above": 1024}
MAPPING: Json = {
    "dynamic_templates": [
        {"addresses": {"path_match": ["*.ip"], "match_mapping_type": "string", "mapping": {"type": "ip"}}},
        {"texts": {"match_mapping_type": "string", "mapping": _KEYWORD}},
    ],
    "date_detection": False,
    "properties": {
        "@timestamp": {"type": "date"},
        "event": {"properties": {"ingested": {"type": "date"}, "created": {"type": "date"}}},
        "message": {"type": "match_only_text"},
    },
}
NODE_MAPPING: Json = {
    **MAPPING,
    "properties": {**MAPPING["properties"], "message": {"type": "text"}},
}
"""For a node run from jars, which has no `match_only_text`."""

LOLBINS = [
    *("certutil", "mshta", "regsvr32", "rundll32", "wmic", "bitsadmin", "cmstp", "installutil", "msbuild", "cscript"),
    *("wscript", "msiexec", "hh", "control", "odbcconf", "regasm", "regsvcs", "pcalua", "forfiles", "ieexec"),
    *("powershell", "cmd", "schtasks", "at", "esentutl", "expand", "extrac32", "findstr", "finger", "ftp"),
    *("makecab", "mavinject", "msdt", "netsh", "nltest", "ntdsutil", "presentationhost", "print", "psr", "rasautou"),
]
_USUAL = [
    *("svchost", "chrome", "explorer", "searchindexer", "teams", "outlook", "onedrive", "msedge", "lsass", "services"),
    *("taskhostw", "dllhost", "conhost", "winword", "excel", "spoolsv", "wininit", "csrss", "sihost", "ctfmon"),
]
NAMES = [f"{name}.exe" for name in [*_USUAL, *LOLBINS, *(f"app{number}" for number in range(240))]]
_ARGUMENTS = [
    *("-urlcache -f http://{n}.example/a.txt", "-enc {h}", "/i:http://{n}.example/x.sct scrobj.dll", "-k netsvcs -p"),
    *(
        "/c whoami /all",
        "--type=renderer --id={n}",
        "javascript:GetObject('script:{h}')",
        "process call create calc{n}",
    ),
    *("/transfer job{n} https://cdn{n}.example/f", "-NoProfile -File C:\\Scripts\\job{n}.ps1", "/quiet /norestart"),
    *("/create /tn task{n} /tr C:\\Temp\\{h}.exe", "-decode {h} out.bin", "/s C:\\Windows\\System32\\mod{n}.dll"),
]
_FOLDERS = ["C:\\Windows\\System32", "C:\\Program Files\\App", "C:\\Users\\Public", "C:\\ProgramData\\Agent"]
_NETWORKS = [
    *(
        "10.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
    ),
    *("192.52.193.0/24", "192.168.0.0/16", "192.88.99.0/24", "224.0.0.0/4", "100.64.0.0/10", "192.175.48.0/24"),
    *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "::1/128", "fe80::/10", "ff00::/8"),
]


class _Skewed:
    """Picks of a list, the first far more often than the last."""

    def __init__(self, random: Random, choices: Sequence[Any], steepness: float = 1.1) -> None:
        self._random, self._choices = random, choices
        self._weights = list(accumulate(1 / (place + 1) ** steepness for place in range(len(choices))))

    def __call__(self) -> Any:
        """One of the choices."""
        return self._random.choices(self._choices, cum_weights=self._weights)[0]


def events(number: int, seed: int = 4) -> Iterator[Json]:
    """So many events, ordered by time."""
    return _Fleet(Random(seed)).events(number)


class _Fleet:
    """Hosts, users and programs, and what happens to them."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._host = _Skewed(random, [self._new_host(number) for number in range(400)], 0.6)
        self._user = _Skewed(random, ["SYSTEM", "NETWORK SERVICE", *(f"user{number}" for number in range(2000))], 0.9)
        self._name = _Skewed(random, NAMES)
        self._parent = _Skewed(random, NAMES, 1.3)
        self._arguments = _Skewed(random, _ARGUMENTS, 0.5)
        self._port = _Skewed(random, [443, 80, 53, 445, 3389, 8080, *range(1024, 1400)], 1.4)
        self._makers = [self._process, self._network, self._file, self._registry, self._logon]

    def _happens(self, chance: float) -> bool:
        return self._random.random() < chance

    def events(self, number: int) -> Iterator[Json]:
        """So many events, ordered by time."""
        step = DAYS * 86_400_000 / max(number, 1)
        for made in range(number):
            time = START_MS + math.floor((made + self._random.random()) * step)
            yield self._event(time, made)

    def _event(self, time: int, number: int) -> Json:
        name = self._name()
        host = self._host()
        event: Json = {
            "@timestamp": time,
            "ecs": {"version": "8.11.0"},
            "agent": host["agent"],
            "host": host["host"],
            "user": {"name": self._user(), "domain": host["domain"]},
            "event": {
                "ingested": time + self._random.randrange(500, 60_000),
                "module": "endpoint",
                "kind": "event",
                "sequence": number,
            },
            "process": self._program(name),
        }
        self._random.choices(self._makers, (55, 25, 10, 6, 4))[0](event)
        if self._happens(0.01):
            event["labels.team"] = self._random.choice(["blue", "red"])
        return event

    def _program(self, name: str) -> Json:
        parent, random = self._parent(), self._random
        folder = random.choices(_FOLDERS, (70, 20, 5, 5))[0]
        return {
            "name": name.upper() if self._happens(0.03) else name,
            "pid": random.randrange(4, 65_536, 4),
            "entity_id": f"{random.getrandbits(48):012x}",
            "executable": f"{folder}\\{name}",
            "parent": {"name": parent, "pid": random.randrange(4, 65_536, 4), "executable": f"{_FOLDERS[0]}\\{parent}"},
        }

    def _process(self, event: Json) -> None:
        arguments = self._arguments().format(n=self._random.randrange(400), h=f"{self._random.getrandbits(14):x}")
        program = event["process"]
        event["event"] |= {"category": ["process"], "type": ["start"], "code": "1", "action": "start"}
        program["command_line"] = f"{program['name']} {arguments}"
        program["args"] = [program["name"], *arguments.split(" ")]
        program["hash"] = {"sha256": f"{crc32(program['executable'].encode()):064x}"}
        program["code_signature"] = {"trusted": self._happens(0.8), "subject_name": "Microsoft Windows"}
        program["working_directory"] = _FOLDERS[self._random.randrange(4)]
        event["message"] = f"Process {program['name']} started by {program['parent']['name']}"

    def _network(self, event: Json) -> None:
        event["event"] |= {"category": ["network"], "type": ["connection", "start"], "code": "3"}
        event["source"] = {"ip": event["host"]["ip"][0], "port": self._random.randrange(49_152, 65_536)}
        event["destination"] = {"ip": self._address(), "port": self._port()}
        event["network"] = {
            "transport": self._random.choice(["tcp", "tcp", "udp"]),
            "bytes": self._random.getrandbits(16),
        }
        event["dns"] = {"question": {"name": f"h{self._random.randrange(3000)}.example.org"}}
        event["related"] = {"ip": [event["source"]["ip"], event["destination"]["ip"]]}

    def _file(self, event: Json) -> None:
        extension = self._random.choice(["txt", "dll", "exe", "log", "tmp", "js", "lnk"])
        name = f"f{self._random.getrandbits(13)}.{extension}"
        event["event"] |= {"category": ["file"], "type": ["creation"], "code": "11"}
        event["file"] = {
            "name": name,
            "path": f"C:\\Users\\Public\\{name}",
            "extension": extension,
            "size": self._random.getrandbits(20),
        }

    def _registry(self, event: Json) -> None:
        key = self._random.choice(["Run", "RunOnce", "Services\\svc", "Policies", "Image File Execution Options"])
        event["event"] |= {"category": ["registry"], "type": ["change"], "code": "13"}
        event["registry"] = {
            "path": f"HKLM\\Software\\Microsoft\\{key}\\v{self._random.randrange(300)}",
            "data": {"strings": [f"C:\\Temp\\{self._random.randrange(500)}.exe"]},
        }

    def _logon(self, event: Json) -> None:
        outcome = "failure" if self._happens(0.1) else "success"
        event["event"] |= {"category": ["authentication"], "type": ["start"], "code": "4624", "outcome": outcome}
        event["source"] = {"ip": self._address()}
        event["winlog"] = {"logon": {"type": self._random.choice(["Interactive", "Network", "Service"])}}

    def _address(self) -> str:
        random = self._random
        if self._happens(0.7):
            return f"10.{random.randrange(4)}.{random.randrange(64)}.{random.randrange(256)}"
        if self._happens(0.1):
            return f"2001:db8::{random.randrange(4096):x}"
        first = random.choice([8, 23, 52, 104, 151])
        return f"{first}.{random.randrange(64)}.{random.randrange(32)}.{random.randrange(64)}"

    def _new_host(self, number: int) -> Json:
        os = "windows" if self._happens(0.9) else "linux"
        addresses = [f"10.0.{number // 200}.{number % 200 + 1}", f"fe80::{number + 1:x}"]
        return {
            "domain": f"CORP{number % 5}",
            "agent": {"id": f"{self._random.getrandbits(64):016x}", "type": "endpoint", "version": f"8.{number % 9}.0"},
            "host": {"name": f"WIN-{number:04d}", "ip": addresses, "os": {"type": os, "version": f"10.0.{number % 7}"}},
        }


def rules(number: int = RULES, seed: int = 5) -> dict[str, Json]:
    """So many rules by name, as queries."""
    random = Random(seed)
    kinds = [_connection, _command, _child, _path, _key, _download, _logons, _dropped]
    return {f"rule-{at}": kinds[at % len(kinds)](random) for at in range(number)}


def _connection(random: Random) -> Json:
    """A LOLBin speaks to the outside."""
    excluded: list[Json] = [
        {"terms": {"destination.ip": _NETWORKS}},
        {"term": {"user.name": random.choice(["SYSTEM", "user7"])}},
    ]
    return _all(
        {"term": {"event.category": "network"}},
        {"terms": {"event.type": ["connection", "start"]}},
        _named(random, random.randrange(1, 4)),
        excluded=excluded[: random.randrange(1, 3)],
    )


def _command(random: Random) -> Json:
    """A LOLBin with a suspicious command line."""
    words = [
        "urlcache",
        "enc",
        "scrobj",
        "javascript:",
        "transfer",
        "decode",
        "http",
        "/tn task",
        "whoami",
        "call create",
    ]
    patterns = random.sample(words, random.randrange(1, 4))
    wildcards = [
        {"wildcard": {"process.command_line": {"value": f"*{word}*", "case_insensitive": random.choice([True, False])}}}
        for word in patterns
    ]
    return _all(
        {"term": {"event.category": "process"}},
        _named(random, random.randrange(1, 3)),
        {"bool": {"should": wildcards, "minimum_should_match": 1}},
    )


def _child(random: Random) -> Json:
    """An unusual child of an Office program or of another LOLBin."""
    parents = random.sample(["winword.exe", "excel.exe", "outlook.exe", *(f"{name}.exe" for name in LOLBINS[:12])], 3)
    return _all(
        {"term": {"event.type": "start"}},
        {"terms": {"process.parent.name": parents}},
        _named(random, 2),
        excluded=[{"prefix": {"process.executable": "C:\\Program Files"}}],
    )


def _path(random: Random) -> Json:
    """A program in a place where it does not belong."""
    name = random.choice(LOLBINS)
    return _all(
        {"wildcard": {"process.executable": {"value": f"*\\\\{name}.exe", "case_insensitive": True}}},
        {"term": {"host.os.type": "windows"}},
        excluded=[{"wildcard": {"process.executable": "C:\\\\Windows\\\\System32\\\\*"}}],
    )


def _key(random: Random) -> Json:
    """A change of a key that programs are started from."""
    key, digit = random.choice(["Run", "RunOnce", "Services", "Policies"]), random.randrange(10)
    paths: list[Json] = [{"wildcard": {"registry.path": f"*\\\\{key}\\\\v?{digit}*"}}] * 5
    paths.append({"regexp": {"registry.path": f".*\\\\{key}\\\\v[0-9]{digit}.*"}})
    return _all(
        {"terms": {"event.category": ["registry"]}},
        random.choice(paths),
        {"exists": {"field": "registry.data.strings"}},
        excluded=[{"terms": {"process.name": random.sample(NAMES[:20], 5)}}],
    )


def _download(random: Random) -> Json:
    """Large transfers to unusual ports."""
    return _all(
        {"range": {"network.bytes": {"gte": random.randrange(60_000, 65_000)}}},
        {"range": {"destination.port": {"gt": 1024, "lt": 1024 + random.randrange(5, 300)}}},
        {"bool": {"should": [{"term": {"network.transport": "tcp"}}, {"exists": {"field": "dns.question.name"}}]}},
        excluded=[{"terms": {"destination.ip": _NETWORKS[: random.randrange(3, 20)]}}],
    )


def _logons(random: Random) -> Json:
    """Logons that fail, of certain users."""
    users = [f"user{random.randrange(2000)}" for _ in range(random.randrange(2, 30))]
    return _all(
        {"match": {"event.outcome": "failure"}},
        {"bool": {"should": [{"terms": {"user.name": users}}, {"term": {"winlog.logon.type": "Service"}}]}},
        {"range": {"@timestamp": {"gte": START_MS + random.randrange(DAYS) * 86_400_000}}},
    )


def _dropped(random: Random) -> Json:
    """A LOLBin that writes programs or scripts."""
    extensions = random.sample(["dll", "exe", "js", "lnk"], 2)
    return _all(
        {"term": {"event.category": {"value": "file"}}},
        {"terms": {"file.extension": extensions}},
        {"term": {"process.name": {"value": f"{random.choice(LOLBINS)}.exe", "case_insensitive": True}}},
        excluded=[{"term": {"host.name": f"WIN-{random.randrange(400):04d}"}}],
    )


def _named(random: Random, number: int) -> Json:
    return {"terms": {"process.name": [f"{name}.exe" for name in random.sample(LOLBINS, number)]}}


def _all(*clauses: Json, excluded: Sequence[Json] = ()) -> Json:
    return {"bool": {"filter": list(clauses), **({"must_not": list(excluded)} if excluded else {})}}
