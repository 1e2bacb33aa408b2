"""Callbacks: writing the bank, checkpoints, timing, resuming, signals."""
