"""What stands beside a run: writing the bank, checkpoints, timing, resuming, signals."""
