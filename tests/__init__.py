"""Tests, benchmarks and the check on a GPU; they mirror the folders of the code."""
