"""The contract of a task, as tests that any of its tracks can be put to: ``bench check TASK``.

Start with `checks`, which lists them all. `declaration` holds what a track promises before it is opened; `samples`,
`operators` and `findings` look at the track once it is `opened`.
"""
