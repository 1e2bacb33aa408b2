"""What a command has loaded is left out of garbage collection, and all that it makes later is not."""

import subprocess
import sys

CODE = """
import gc, sys, weakref
from lfb_lightning.cli.loading import load_to_stay

try:
    load_to_stay("not_there")
except ModuleNotFoundError as error:
    print(error, gc.isenabled())
print(load_to_stay("colorsys").__name__, sys.modules["colorsys"].__name__)
before = gc.get_freeze_count()
load_to_stay("calendar")
print(gc.isenabled(), before > 1000, gc.get_freeze_count() <= before)

class Ring:
    pass

ring = Ring()
ring.itself, gone = ring, weakref.ref(ring)
del ring
gc.collect()
print(gone())
"""


def test_modules_stay_and_the_rest_is_collected():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == [
        "No module named 'not_there' True",
        "colorsys colorsys",
        "True True True",
        "None",
    ]
