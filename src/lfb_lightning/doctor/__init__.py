"""What this machine has and can do, line by line with its remedy."""
