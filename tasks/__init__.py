"""The tasks: images, measurements and scores. One file a task holds its tracks (start at `denoising`).

The rooms below, in the order of reading: `physics` (operators and noise), `phantoms` and `datasets` (the images),
`scanners` (how phantoms are measured), `metrics` (the scores). A task file imports from all of them; `datasets` uses
`phantoms`, `scanners` the operators, phantoms and masks that they measure, and no other room another.
"""
