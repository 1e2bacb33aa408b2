"""Checks of a data set against its configuration, before training: its tables, its videos and their frames."""
