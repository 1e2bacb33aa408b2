"""Reads files in a process of its own, and says what became of each, in which time and how much memory."""

import json
import subprocess
import sys

_CODE = """
import json, resource, sys, time
from pathlib import Path
from lfb_lightning.ava.annotations import read_annotations
from lfb_lightning.ava.evaluation_csv import read_evaluation_csv
from lfb_lightning.ava.excluded import read_excluded
from lfb_lightning.ava.label_map import LabelMap, read_label_map
from lfb_lightning.ava.proposals import read_proposals
from lfb_lightning.bank.layout import read_header
from lfb_lightning.bank.pickled_bank import PickledBank
from lfb_lightning.bank.reader import FeatureBank
from lfb_lightning.errors import InputError
from lfb_lightning.files.array_pickle import load_arrays
from lfb_lightning.files.json_file import read_json
from lfb_lightning.files.torch_file import read_torch
from lfb_lightning.models.imports.reading import read_foreign
from lfb_lightning.video.cache import CachedVideo

def peak_kilobytes():
    # Linux counts into ru_maxrss what the process had before it became this program: the memory of whoever started it.
    if sys.platform == "linux":
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

def all_of(bank):
    for video_id in bank.video_ids:
        bank.video(video_id).features.contiguous().clone()

readers = {
    "annotations": lambda path: read_annotations(path, LabelMap({1: "one"})),
    "arrays": lambda path: load_arrays(path, what="file"),
    "bank": lambda path: all_of(PickledBank(path)),
    "bank file": read_header,
    "cache": lambda path: CachedVideo(path).describe(),
    "checkpoint": read_foreign,
    "evaluation": read_evaluation_csv,
    "excluded": read_excluded,
    "json": lambda path: read_json(path, what="file"),
    "label map": read_label_map,
    "manifest": lambda path: FeatureBank.open(path.parent),
    "proposals": read_proposals,
    "torch": lambda path: read_torch(path, what="file"),
}
resource.setrlimit(resource.RLIMIT_DATA, (4 << 30, 4 << 30))  # whatever a reader does, the machine goes on
for name, reader, path in json.loads(sys.stdin.read()):
    start = time.process_time()
    try:
        readers[reader](Path(path))
        said = None
    except InputError as error:
        said = str(error)
    megabytes = peak_kilobytes() >> 10
    print(json.dumps([name, said, time.process_time() - start, megabytes]), flush=True)
"""


def read_all(folder, files):
    """`files` are (name, reader, file name, content); returns by name what was said (None: read), CPU seconds, peak MB."""
    work = []
    for number, (name, reader, file_name, content) in enumerate(files):
        path = folder / str(number) / file_name
        path.parent.mkdir()
        path.write_bytes(content() if callable(content) else content)  # the large ones are made here only
        work.append((name, reader, str(path)))
    done = subprocess.run(
        [sys.executable, "-c", _CODE], input=json.dumps(work), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {name: tuple(rest) for name, *rest in map(json.loads, done.stdout.splitlines())}


def assert_refused(folder, files, expected):
    """Every file is refused with the expected words in one line that names it, in 20 s and 2 GB."""
    for (name, (said, seconds, megabytes)), (_, _, file_name, _) in zip(
        read_all(folder, files).items(), files, strict=True
    ):
        assert said is not None, f"{name} was read"
        assert expected[name] in said, name
        assert file_name in said, name
        assert "\n" not in said, name
        assert len(said) < 1000, name
        assert seconds < 20, name
        assert megabytes < 2000, name
