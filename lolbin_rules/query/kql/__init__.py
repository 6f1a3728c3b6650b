"""The Kibana Query Language: text in, a tree out (`syntax`), and from there Query DSL (`compile`)."""
