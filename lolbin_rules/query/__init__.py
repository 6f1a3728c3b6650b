"""A rule's logic as Elasticsearch's Query DSL."""
