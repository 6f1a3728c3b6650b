"""What is written: alerts, memberships of groups and what the indices refused, as documents. No clock, no I/O."""
