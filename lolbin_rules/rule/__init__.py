"""Layer 1: what a rule author wrote, read from files, checked and typed."""
