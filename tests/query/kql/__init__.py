"""The Kibana Query Language: what a text says, what it becomes, and what is said of a faulty one."""
