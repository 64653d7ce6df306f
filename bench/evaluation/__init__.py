"""What happens inside one run. `tune` or `train`, then `evaluate`, which scores every test image.

`timing` measures costs in a pass of its own; `objective_and_atoms` looks into a method; `pictures`, `curves` and
`resources` record; `trainer` sets up one or several devices.
"""
