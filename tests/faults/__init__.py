"""Faults injected into real commands on a toy task: `python -m tests.faults [--seconds N] [--seed S] [--table FILE]`.

Read in this order: `world` (commands, and the truth they are held to), `kills`, `disk`, `damage`, `archives` and
`mirror` (the kinds of faults; `servers` has tracking servers that fail), `tally` (the counts and their table).
"""
