"""Console commands: compose a configuration, build the objects it names, call them; nothing else. Knows Hydra."""
