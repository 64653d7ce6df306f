"""Forward operators A, each with its adjoint and a direct reconstruction, and everything a measurement is drawn by.

Start at `noise` (every noise law). Then an operator and its parts: `ct`, `projector`, `sparse_matrix`,
`sparse_product`, `fbp`, `xray`; `mri`, `coils`; `convolution` under `blur`, `blur_kernels`, `blind_blur` and `qsm`;
`inpainting`. `placing` puts operators on their device.
"""
