"""How phantoms and slices of twice the resolution are scanned: `ct`, `metal` (CT), `mri`.

``without_noise(arrays)`` makes what all scans of an image have in common, ``draw(exact, rng)`` one of the scans, and
``physics(params, device)`` the operator of the reconstruction.
"""
