"""Images made from a seed: `thorax` (CT), `brain` (MRI), `head` (QSM) and `dead_leaves` (photographs).

Start at `shapes` (ellipsoids, smooth fields, coarsening), of which they are built; `split` makes the splits of a track.
"""
