"""EQL: its grammar, its meaning as Query DSL, and the plan of its sequences."""
