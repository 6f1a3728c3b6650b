"""Running programs, and the ones that run all day on every machine."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from lolbin_rules.simulation import images
from lolbin_rules.simulation.chance import dice
from lolbin_rules.simulation.hosts import NETWORK_ACCOUNT, SYSTEM, Account, Host
from lolbin_rules.simulation.images import Image
from lolbin_rules.simulation.moments import DAY, HOUR, SECOND

__all__ = ["Process", "entity_id", "process_id", "residents"]


class Process(NamedTuple):
    """A running program; `parent` is unknown for what Windows itself started."""

    image: Image
    pid: int
    entity_id: str
    arguments: tuple[str, ...]
    account: Account
    parent: Process | None = None

    @property
    def command_line(self) -> str:
        """As a shell would write it: parts with blanks in quotation marks, unless they hold some of their own."""
        parts = [f'"{part}"' if " " in part and '"' not in part else part for part in self.arguments]
        return " ".join([f'"{self.image.path}"', *parts])

    @property
    def working_directory(self) -> str:
        """Where it was started."""
        is_person = self.account.terminal_session > 0
        return f"C:\\Users\\{self.account.name}\\" if is_person else "C:\\Windows\\system32\\"


_SVCHOST_GROUPS: Final = {
    "svchost_dcom": ("-k", "DcomLaunch", "-p"),
    "svchost_tasks": ("-k", "netsvcs", "-p", "-s", "Schedule"),
    "svchost_update": ("-k", "netsvcs", "-p", "-s", "wuauserv"),
    "svchost_dns": ("-k", "NetworkService", "-p", "-s", "Dnscache"),
    "svchost_rpc": ("-k", "RPCSS", "-p"),
}
_OF_THE_NETWORK: Final = {"svchost_dns", "svchost_rpc"}
_OF_WINDOWS: Final = {"lsass": images.LSASS, "msmpeng": images.MSMPENG, "indexer": images.INDEXER}
_OF_A_PERSON: Final = {"browser": images.BROWSER, "outlook": images.OUTLOOK, "chat": images.CHAT}
_OF_A_SERVER: Final = {"web_worker": images.WEB_WORKER, "database": images.DATABASE, "agent": images.AGENT}


def entity_id(host: Host, started: int, count: int) -> str:
    """Sysmon's id of a process: the machine, the second of its start, and which it is; unique by machine."""
    second = started // SECOND
    return f"{{{host.id[:8]}-{second & 0xFFFF:04x}-{second >> 16 & 0xFFFF:04x}-{count & 0xFFFF:04x}-000000000400}}"


def process_id(roll: random.Random) -> int:
    """A process id as Windows gives them: a multiple of four."""
    return 4 * roll.randrange(300, 4000)


@lru_cache(maxsize=1024)
def residents(seed: int, host: Host, day: int) -> Mapping[str, Process]:
    """The programs that run throughout a day (UTC, counted from 1970), by name; the machine started before it."""
    roll = dice(seed, "residents", host.name, day)
    booted = day * DAY - roll.randrange(HOUR)
    found: dict[str, Process] = {}

    def add(name: str, image: Image, arguments: tuple[str, ...], account: Account, parent: str | None) -> None:
        above = found[parent] if parent else None
        mark = entity_id(host, booted, len(found))
        found[name] = Process(image, process_id(roll), mark, arguments, account, above)

    found["system"] = Process(images.SYSTEM_PROCESS, 4, entity_id(host, booted, 0xEB), (), SYSTEM)
    add("services", images.SERVICES, (), SYSTEM, None)
    for name, group in _SVCHOST_GROUPS.items():
        add(name, images.SVCHOST, group, NETWORK_ACCOUNT if name in _OF_THE_NETWORK else SYSTEM, "services")
    for name, image in _OF_WINDOWS.items():
        add(name, image, (), SYSTEM, "services")
    if host.role == "server":
        for name, image in _OF_A_SERVER.items():
            add(name, image, (), host.user, "services")
        return found
    add("explorer", images.EXPLORER, (), host.user, None)
    for name, image in _OF_A_PERSON.items():
        add(name, image, (), host.user, "explorer")
    return found
