"""Methods without training: variational models, diffusion, algebraic reconstruction, and denoisers by plug and play.

Start with `tv`, a variational model in a dozen lines; `tikhonov` is as short without one, `nlm` the shortest denoiser.
"""
