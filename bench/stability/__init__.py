"""How a finished method behaves away from its track: `shifts` scores it under those that the track declares.

`worst_case` seeks the perturbation of a measurement that moves a reconstruction most; `structure` adds a letter to an
image and finds its contrast again.
"""
