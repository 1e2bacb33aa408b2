"""What reads the data during a run: data modules, the order of batches, workers."""
