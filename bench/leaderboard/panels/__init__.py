"""Tables below the ranking of a board, made of what was found out about finished runs; no rank depends on them.

`stability` has scores under shifts, `task_quality` the ranking by the image beside the one by a frozen observer's
finding, `sensitivity` the regions that a finding depends on.
"""
