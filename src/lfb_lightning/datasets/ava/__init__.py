"""AVA, and any data set in its formats."""
