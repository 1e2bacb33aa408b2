"""Writing files durably, and reading files without trusting what is in them."""
