"""When to look: windows of event time, what of it has been searched, and what is to be searched next.

Pure: no clock, no I/O, no logging. `now` is a parameter everywhere.
"""
