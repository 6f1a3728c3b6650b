"""What every adapter of the store port must do, and what the one for Elasticsearch does beyond."""
