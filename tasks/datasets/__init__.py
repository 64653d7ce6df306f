"""Images read from files: what is in a split, and which images are one group. `manifests/` holds SHA-256 and origins.

Start at `reader` (one array of a file), then `photographs` (embedded), `natural` (photographs and BSD), `mri_sets`,
`aapm` (CT) and `qsm2016`.
"""
