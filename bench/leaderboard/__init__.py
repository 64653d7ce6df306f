"""Published results: from the results of runs to entries, boards and pages.

Read in this order: `entries` (one method on one track, as it is kept), `selection` (which results become an entry),
`staleness` (whether its code is today's), `board_rows` (what is ranked, and why the rest is not), `page` and `terminal`
(how a board is shown), `publish` (all of it, for `bench board`), `agreement` (an entry against a new run).
"""
