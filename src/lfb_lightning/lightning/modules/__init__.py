"""The LightningModules of training, testing and extraction."""
