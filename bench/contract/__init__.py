"""What tasks and methods promise. Start with `task` and `method`.

`operators` tells what a physics may offer beyond deepinv's. `registry` finds tasks and methods by their folders,
`construct` makes a method with its hyperparameters (ranges in `space`), and `checks` tests a method on the small
operators of `toy_operators`.
"""
