"""Parts of neural networks, for images of any size, in 2D and 3D.

Start with `unet` and `convnet`, which fill `network`; `folding` packs pixels into channels, `normalisation` gives a
network images without unit and phase, and `correction` applies one to such images. `rbf_activation` and
`piecewise_linear` learn functions of one variable, `cosine_filters` small filters. `analysis` reads a finding off an
image; `confidence` is the base of methods that add a standard deviation to another network.
"""
