"""Where events are read and alerts written: the port, and its adapters."""
