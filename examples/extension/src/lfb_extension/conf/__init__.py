"""Configuration groups of this package; Hydra looks for this file where `pkg://lfb_extension.conf` is searched."""
