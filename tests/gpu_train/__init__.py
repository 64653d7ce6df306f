"""`make gpu-train`: the trainings of published networks on one card, within a limit of minutes, and their archive.

`__main__` reads the options and prints the table, `trainings` lists what is trained, `lanes` divides the time, `pacing`
chooses steps by the pace that is seen, `watched` runs one training by `bench run`, `prepare` makes phantoms beside it,
and `parts` packs runs for `bench import`, and trainings that were stopped for another call.
"""
