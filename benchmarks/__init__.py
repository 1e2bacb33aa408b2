"""Measurements, printed as tables; never part of the timed test suite."""
