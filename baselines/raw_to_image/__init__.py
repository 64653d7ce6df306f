"""Networks from the measurement to the image that apply the operator and its adjoint between their layers.

Start with `varnet`, gradient descent with a learned regulariser; `learned_primal_dual` also learns in the measurement's
space.
"""
