"""Networks that improve the direct reconstruction of an operator, and see neither the measurement nor the operator.

Start with `unet`. `cascaded_unets`, `framelet_unet`, `segnet` and `red_cnn` change the resolution too; `dncnn`,
`resnet` and `lm_resnet` keep it; `vnet` is made for volumes. `sdae` restores patches, in stages; `wgan` learns
against a critic.
"""
