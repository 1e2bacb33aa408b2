"""The package's version, in the one place that the build and the bank's manifest read."""

__version__ = "0.1.0"
