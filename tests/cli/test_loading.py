"""What a command has loaded is left out of garbage collection, and all that it makes later is not."""

import subprocess
import sys

import pytest

CODE = """
import gc, sys, weakref
from lfb_lightning.cli.loading import load_to_stay

try:
    print(load_to_stay({name!r}).__name__, sys.modules[{name!r}].__name__)
except ModuleNotFoundError as error:
    print(error)
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


@pytest.mark.parametrize(
    ("name", "said"), [("colorsys", "colorsys colorsys"), ("not_there", "No module named 'not_there'")]
)
def test_modules_stay_and_the_rest_is_collected(name, said):
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(name=name)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == [said, "True True True", "None"]
