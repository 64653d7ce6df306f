"""Baselines: one method a file, in the folder of its family, and the rooms of shared machinery.

Imports run downwards only: the five families > patches > solvers > networks > functionals > transforms > this folder.
Start with `baselines.handcrafted.tv`, and follow its imports.
"""
