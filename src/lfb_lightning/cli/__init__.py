"""The commands: each composes its configuration with Hydra, builds the objects that it names, and calls them."""

import os

# Before torch is loaded. Its C++ part warns, with a trace of addresses, of each connection that is lost: who has gone is said
# in a line (`lightning.callbacks.node_watch`). Its errors are shown; TORCH_CPP_LOG_LEVEL=INFO shows all.
os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
