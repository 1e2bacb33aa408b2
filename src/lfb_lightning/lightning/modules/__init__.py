"""LightningModules: training, testing and extraction."""
