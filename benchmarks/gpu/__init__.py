"""`python -m benchmarks.gpu`: what this machine's GPU does with the package, in ten minutes, without network or data.

See `__main__` for the command, `parts` for what is measured, and `sizes` for how large.
"""
