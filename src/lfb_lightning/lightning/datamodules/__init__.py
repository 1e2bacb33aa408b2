"""Reading data during a run: data modules, the order of batches, loader workers."""
