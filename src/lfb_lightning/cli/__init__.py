"""The commands: each composes its configuration with Hydra, builds the objects that it names, and calls them."""
