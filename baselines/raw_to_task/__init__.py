"""Networks from the measurement to a finding: a map of the probability of each class in each pixel.

Start with `two_stage`, the analysis network on the images of any other method; `joint` trains both end to end,
`raw_only` does without an image. `oracle` is a control that sees the true image. All share `networks.analysis`.
"""
