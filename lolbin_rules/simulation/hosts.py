"""The machines of the fleet and the people who use them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lolbin_rules.simulation.chance import dice, digest

__all__ = [
    "DOMAIN",
    "MOST_HOSTS",
    "NETBIOS_DOMAIN",
    "NETWORK_ACCOUNT",
    "SYSTEM",
    "Account",
    "Host",
    "OperatingSystem",
    "fleet_hosts",
]

DOMAIN: Final = "SIM.EXAMPLE"
NETBIOS_DOMAIN: Final = "SIM"
MOST_HOSTS: Final = 10_000

_PEOPLE: Final = (
    *(
        "a.becker",
        "b.okafor",
        "c.lindqvist",
        "d.moreau",
        "e.tanaka",
        "f.silva",
        "g.novak",
        "h.ito",
        "i.kaya",
        "j.walsh",
    ),
    *("k.mensah", "l.rossi", "m.haddad", "n.petrov", "o.jensen", "p.ramos", "q.zhang", "r.moss", "s.kowalski", "t.ng"),
)
_ROLES: Final = (  # the first is a workstation: see `delays`
    *("workstation", "laptop", "server", "workstation", "laptop", "workstation"),
    *("server", "laptop", "workstation", "laptop", "workstation", "server"),
)
_NAMES: Final = {"workstation": "WS", "laptop": "LT", "server": "SRV"}
_DEFEND_EVERY: Final = 4


@dataclass(frozen=True, slots=True)
class OperatingSystem:
    """A release of Windows: its name, the version of its kernel and the build."""

    name: str
    version: str
    build: str
    file_version: str


@dataclass(frozen=True, slots=True)
class Account:
    """On whose behalf a process runs: who, in which logon session, and how far it is trusted."""

    domain: str
    name: str
    sid: str
    logon_id: str
    terminal_session: int
    integrity: str


@dataclass(frozen=True, slots=True)
class Host:
    """A machine.

    Attributes:
        number: Its place in the fleet, from 0.
        role: workstation, laptop or server.
        ipv4, ipv6: Its addresses in the office network.
        home_ipv4: Its address where it is while away from the office; only laptops ever are.
        has_defend: Its connections are recorded by Elastic Defend and not by Sysmon. Never true of the first machine.
        user: Who works on it; on a server, whose account its programs run under.
    """

    number: int
    role: str
    name: str
    os: OperatingSystem
    ipv4: str
    ipv6: str
    home_ipv4: str
    mac: str
    id: str
    agent_id: str
    has_defend: bool
    user: Account

    @property
    def computer_name(self) -> str:
        """Its full name in the domain."""
        return f"{self.name}.{DOMAIN}"


SYSTEM: Final = Account("NT AUTHORITY", "SYSTEM", "S-1-5-18", "0x3e7", 0, "System")
NETWORK_ACCOUNT: Final = Account("NT AUTHORITY", "NETWORK SERVICE", "S-1-5-20", "0x3e4", 0, "System")

_CLIENTS: Final = (
    OperatingSystem("Windows 11 Pro", "10.0", "22631.3737", "10.0.22621.1 (WinBuild.160101.0800)"),
    OperatingSystem("Windows 10 Pro", "10.0", "19045.4529", "10.0.19041.1 (WinBuild.160101.0800)"),
    OperatingSystem("Windows 11 Enterprise", "10.0", "26100.1742", "10.0.26100.1 (WinBuild.160101.0800)"),
)
_SERVERS: Final = (
    OperatingSystem("Windows Server 2022 Standard", "10.0", "20348.2529", "10.0.20348.1 (WinBuild.160101.0800)"),
    OperatingSystem("Windows Server 2019 Standard", "10.0", "17763.5936", "10.0.17763.1 (WinBuild.160101.0800)"),
)


def fleet_hosts(seed: int, count: int) -> tuple[Host, ...]:
    """The machines of a fleet; the first ones of a larger fleet are those of a smaller.

    Raises:
        ValueError: There are fewer machines than one or more than `MOST_HOSTS`.
    """
    if not 1 <= count <= MOST_HOSTS:
        raise ValueError(f"A fleet of {count} hosts cannot be simulated. Ask for 1 to {MOST_HOSTS}.")
    seen = dict.fromkeys(_NAMES, 0)
    hosts = []
    for number in range(count):
        role = _ROLES[number % len(_ROLES)]
        seen[role] += 1
        hosts.append(_host(seed, number, role, f"SIM-{_NAMES[role]}-{seen[role]:02}"))
    return tuple(hosts)


def _host(seed: int, number: int, role: str, name: str) -> Host:
    roll = dice(seed, "host", name)
    marks = digest(seed, "host", name)
    third, fourth = divmod(number, 200)
    return Host(
        number=number,
        role=role,
        name=name,
        os=roll.choice(_SERVERS if role == "server" else _CLIENTS),
        ipv4=f"10.20.{4 + third}.{20 + fourth}",
        ipv6=f"2001:db8:51:{4 + third:x}::{0x20 + fourth:x}",
        home_ipv4=f"192.168.{roll.choice((0, 1, 2, 178))}.{roll.randrange(20, 200)}",
        mac="-".join(("02", *(marks[place : place + 2].upper() for place in range(0, 10, 2)))),
        id=_uuid(marks[10:42]),
        agent_id=_uuid(digest(seed, "agent", name)),
        has_defend=number % _DEFEND_EVERY == _DEFEND_EVERY - 1,
        user=_user(seed, number, role),
    )


def _user(seed: int, number: int, role: str) -> Account:
    if role == "server":
        return Account(
            NETBIOS_DOMAIN, "svc-apps", "S-1-5-21-1004336348-1177238915-682003330-1601", "0x5c1e2", 0, "High"
        )
    again, which = divmod(number, len(_PEOPLE))
    name = _PEOPLE[which] + (str(again + 1) if again else "")
    sid = f"S-1-5-21-1004336348-1177238915-682003330-{1104 + number}"
    return Account(
        NETBIOS_DOMAIN, name, sid, f"0x{dice(seed, 'logon', name).randrange(0x30000, 0x9000000):x}", 1, "Medium"
    )


def _uuid(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"
