"""Images read from files, their splits and their groups. `manifests/` holds the SHA-256 and the origin of each file.

Start at `reader` (one array of a file), then `photographs` (embedded), `natural` (photographs and BSD), `mri_sets`,
`aapm` (CT), `qsm2016`, `msd_lung` (CT with tumours; `clipped_ct` makes phantoms like it) and `totalseg` (CT with
organs).
"""
