"""Data sets and measurements. `manifest` finds, checks and fetches files of real sets; `measurements` draws every y.

`cache` keeps arrays that take long to make.
"""
