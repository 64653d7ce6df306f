"""The terms of an objective: data terms and regularisers, with the proximal maps and gradients that algorithms need.

Start with `data_fit` (of a measurement and its operator) and `regulariser`; `likelihood` holds the law of each noise,
`total_variation` and `l1` are regularisers. The soft threshold stands in `l1`, the size of a residual that is
all noise in `discrepancy`.
"""
