"""Methods that learn a dictionary, a frame, filters or a patch prior, from the measurement or from the training split.

Names that end in `_trained` learn from the training split; `epll` and `reaction_diffusion` do so too. Start with
`ksvd`, and with `baselines.patches.dictionary_denoiser`, in which its work is done.
"""
