"""Parts of neural networks, for images of any size, in 2D and 3D.

Start with `unet` and `convnet`, which fill `network`; `folding` packs pixels into channels, `normalisation` gives a
network images without unit and phase, `rbf_activation` learns functions of one variable.
"""
