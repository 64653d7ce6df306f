"""`make gpu-check`: what only a GPU can show, and everything else beside it, as one table in at most 8 minutes.

`__main__` plans and prints, `surroundings` finds the device, `lanes` starts the parts in processes (`part`) with time
limits. The parts, each a file with a generator ``rows(plan)``: `speed`, `training` (on real tracks),
`mini_training`, `recordings` (what is repeated from one against what is not), `references` (scores on the CPU),
`contract`, `agreement` (the scores on the device), `runs`, `resume`, `archive`.
"""
