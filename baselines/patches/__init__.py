"""Patches of images: cutting and averaging them, finding similar ones, and models of them.

Start with `patches`. `block_matching` (with `smallest`, and its kernel of a GPU) and `patch_groups` serve methods of
similar blocks; `sparse_coding`, `dictionary` and `dictionary_denoiser` serve dictionaries; `frame_learning` serves
tight frames, `patch_mixture` Gaussian mixtures.
"""
