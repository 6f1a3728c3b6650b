"""Rules executed: the only layer that composes the others."""
