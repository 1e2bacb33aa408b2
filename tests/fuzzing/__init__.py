"""Mutated files of every form: read, or refused in one line. `python -m benchmarks.fuzz` runs all of them."""
