"""How rules of each type find their matches."""
