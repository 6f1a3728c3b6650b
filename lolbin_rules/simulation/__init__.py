"""A made-up fleet of Windows machines whose events arrive as Winlogbeat and Elastic Defend ship them. No clock, no I/O.

`fleet` says what arrives when; `programs` and `attacks` say what happens on a machine in a minute, written down on a
`stage`; `sysmon`, `security` and `defend` are the shapes of documents; `delays` is how late they arrive. Nothing here
describes a real machine, person or address: names end in reserved domains, public addresses are the ones set aside for
documentation, and every document says that it is simulated.
"""
