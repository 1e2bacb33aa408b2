"""What every command answers without being loaded: its help, the version, and the words that complete a command line.

Everything is read from the YAML files of `conf/` and of the user's own folders as text, in a tenth of a second: neither
Hydra nor torch is imported.
"""
