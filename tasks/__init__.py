"""The tasks: images, measurements and scores. One file a task holds its tracks (start at `denoising`).

The rooms below, in the order of reading: `physics` (operators and noise), `phantoms` and `datasets` (the images),
`metrics` (the scores), `scanners` (how phantoms are measured). A task file imports from all of them; `datasets` uses
`phantoms`, `scanners` uses `physics`, `phantoms` and `metrics`, and no other room another.
"""
