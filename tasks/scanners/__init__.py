"""How phantoms and slices of twice the resolution are scanned: `ct`, `metal` (CT), `mri`.

``without_noise(arrays)`` makes what all scans of an image have in common, ``draw(exact, rng)`` one of the scans;
``measure(arrays, rng)`` does both. ``physics(params, device)`` is the operator of the reconstruction.
"""
