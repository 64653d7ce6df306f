"""Algorithms that methods share: minimisers of variational models, plug and play, anisotropic diffusion.

Start with `variational`, the base of methods that minimise f(v) + g(Kv) by `primal_dual`, `admm` or
`proximal_gradient`. `linearized_bregman` meets y with few coefficients, and stops early. `plug_and_play` is the base of
methods that are denoisers; `trained_denoiser` adds training.
"""
