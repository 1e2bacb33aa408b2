"""Files as the house reads and writes them: durably, and without trusting what is in them."""
