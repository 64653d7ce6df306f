"""Frozen networks that read images for a finding, and so tell how good a reconstruction is for its task.

`network` is what they have in common; each lies beside it as a file of weights with a manifest that holds its SHA-256.
`train` makes one from clean images: `python -m tasks.observers.train nodules`.
"""
