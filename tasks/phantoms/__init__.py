"""Images made from a seed: `thorax` (CT), `brain` (MRI), `head` (QSM), `dead_leaves` (photographs);
`lesions` and `abdomen` (CT) have labels, `implants` (CT) metal.

Start at `shapes` (ellipsoids, smooth fields, coarsening), of which they are built; `split` makes the splits of a track.
"""
