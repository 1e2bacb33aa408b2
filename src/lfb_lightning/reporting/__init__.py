"""Training and test runs as one page."""
