"""What a clause of Elasticsearch's Query DSL means for a document: no store, no clock, no I/O.

`mapping` says what the fields of an index are; `indexer` and `reader` turn documents into typed values; `parse` turns a
query into a tree of clauses; `matcher` (one document after the other) and `evaluate` (many at once) say which documents
match; `aggregations` says what is told of those. What cannot be done exactly as Elasticsearch does it is refused by
name (`Unsupported`): nothing here guesses.
"""
