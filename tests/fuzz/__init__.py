"""The differential fuzzer: random documents and random queries, asked of a real node and of our engine."""
