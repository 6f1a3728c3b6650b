"""Executions simulated on a virtual clock: the real code, a store in memory, whatever can go wrong, and an oracle."""
