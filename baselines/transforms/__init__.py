"""Linear transforms of images, each with its adjoint: differences, wavelets, framelets, learned tight frames.

Start with `finite_differences`, the gradient; then `wavelets`, `framelets` and `tight_frame`.
"""
