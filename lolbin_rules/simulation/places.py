"""Where ordinary programs connect to: machines of the office, and the Internet as far as it is set aside for examples.

Public addresses come from 192.0.2.0/24 and 198.51.100.0/24, names end in `example`: both belong to nobody.
"""

from __future__ import annotations

from typing import Final

from lolbin_rules.simulation.wire import Endpoint

__all__ = [
    "ASSEMBLY_FEED",
    "CHAT_CLOUD",
    "CLOUD",
    "DIRECTORY",
    "FILE_SERVER",
    "INTRANET",
    "LICENCES",
    "PRINTER",
    "SITES",
    "TELEMETRY",
    "UPDATES",
]

DIRECTORY: Final = (
    Endpoint("10.20.0.10", 389, "sim-dc-01.sim.example"),
    Endpoint("10.20.0.10", 88, "sim-dc-01.sim.example"),
    Endpoint("10.20.0.10", 445, "sim-dc-01.sim.example"),
    Endpoint("10.20.0.10", 135, "sim-dc-01.sim.example"),
)
FILE_SERVER: Final = Endpoint("10.20.0.12", 445, "files.sim.example")
INTRANET: Final = Endpoint("10.20.0.20", 443, "intranet.sim.example")
LICENCES: Final = Endpoint("10.20.0.31", 27000, "licences.sim.example")
ASSEMBLY_FEED: Final = Endpoint("10.20.0.32", 443, "feed.sim.example")
PRINTER: Final = Endpoint("10.20.0.90", 9100, "printer-2.sim.example")

UPDATES: Final = (
    Endpoint("192.0.2.20", 443, "download.updates.example"),
    Endpoint("192.0.2.21", 80, "delivery.updates.example"),
    Endpoint("2001:db8:5:20::21", 443, "metadata.updates.example"),
)
TELEMETRY: Final = (
    Endpoint("192.0.2.40", 443, "telemetry.vendor.example"),
    Endpoint("192.0.2.41", 443, "settings.vendor.example"),
    Endpoint("192.0.2.42", 443, "cloud.antivirus.example"),
)
CLOUD: Final = (
    Endpoint("192.0.2.60", 443, "outlook.cloud.example"),
    Endpoint("192.0.2.61", 443, "office.cloud.example"),
    Endpoint("2001:db8:5:60::62", 443, "login.cloud.example"),
)
CHAT_CLOUD: Final = (
    Endpoint("192.0.2.80", 443, "gateway.chat.example"),
    Endpoint("192.0.2.81", 443, "media.chat.example"),
)
_SITE_NAMES: Final = (
    *("www.news.example", "static.news.example", "www.weather.example", "shop.books.example", "img.books.example"),
    *("www.travel.example", "maps.travel.example", "search.portal.example", "fonts.portal.example", "www.bank.example"),
    *("wiki.knowledge.example", "code.forge.example", "avatars.forge.example", "video.stream.example"),
    *("cdn.stream.example", "ads.market.example", "pixel.market.example", "translate.words.example"),
)
SITES: Final = tuple(Endpoint(f"198.51.100.{10 + 7 * place}", 443, name) for place, name in enumerate(_SITE_NAMES))
