"""Networks that improve the direct reconstruction of an operator, and see neither the measurement nor the operator.

Start with `unet`.
"""
