"""Scores of one image. Start at `declared`: the metrics that tracks declare, with their conventions.

`region` chooses the scored part (real part, magnitude, mask); `image` and `qsm` are the functions behind the names.
"""
