"""Networks from the measurement to the image. All but one apply the operator and its adjoint between their layers.

Start with `varnet`, gradient descent with a learned regulariser. `lista`, `ista_net` and `tnrd` are iterations of the
proximal gradient and of diffusion; `admm_net`, `generic_admm_net` and `modl` solve a linear system in each iteration,
and so does `dpir`, whose denoiser is trained without the operator. `learned_primal_dual` also learns in the
measurement's space, `jsr_net` completes the scan there, and `learned_fbp` learns there alone. `automap` is told no
operator. `ensemble`, `mc_dropout` and `learned_variance` take another network, of this family or of post-processing,
and add a standard deviation.
"""
