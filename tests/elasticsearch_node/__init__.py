"""A real Elasticsearch node for tests, put together from jars on Maven Central: no Docker, no installation."""
