"""EQL: what a text means, what it becomes, and which documents it finds."""
