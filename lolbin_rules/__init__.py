"""Detection rules on Elasticsearch without Kibana: every matching event gets exactly one alert."""

from __future__ import annotations

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("lolbin-rules")
