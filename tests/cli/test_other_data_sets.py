"""`lfb-check` and `lfb-cache` with a data set that is not in AVA's formats, which has what they need or not."""

import json
from pathlib import Path

import numpy as np
import pytest

from lfb_lightning.datasets.checks.findings import SplitReport
from lfb_lightning.structures import Keyframe
from lfb_lightning.video.cache import CachedVideo
from tests.cli.in_process import run
from tests.conftest import ROOT

EXAMPLE = ROOT / "examples" / "extension" / "src"


@pytest.fixture
def section(tmp_path, monkeypatch):
    """Write `conf/data/seen.yaml`, a data set of events in `tmp_path`, and return the arguments that choose it."""
    monkeypatch.syspath_prepend(EXAMPLE)
    from lfb_extension.generate import main

    main(tmp_path)
    (tmp_path / "conf" / "data").mkdir(parents=True)

    def written(target):
        text = (EXAMPLE / "lfb_extension" / "conf" / "data" / "events.yaml").read_text().split("\n", 1)[1]
        (tmp_path / "conf" / "data" / "seen.yaml").write_text(f"_target_: {target}\n{text}")
        return ["--config-dir", tmp_path / "conf", "data=seen", f"paths.data_dir={tmp_path}"]

    return written


def seen_events(**settings):
    """An `EventDataset` whose splits can be looked at and whose videos can be cached."""
    from lfb_extension.events import EventDataset, EventSplit

    from lfb_lightning.video import VideoLibrary

    class Split(EventSplit):
        def check(self):
            report = SplitReport(self.name, figures={"events": len(self.events)})
            report.warn("one event is too short", "make it longer")
            return report

        def used_keyframes(self):
            return sorted(Keyframe(event.video_id, event.begin) for event in self.events)

        def annotated_boxes(self, keyframe):
            return np.zeros((0, 4))

    class Dataset(EventDataset):
        def split(self, name):
            made = super().split(name)
            return Split(self, name, made.events)

        def video_ids(self, split):
            return sorted({event.video_id for event in self.split(split).events})

        def clip_moments(self, video_id):
            return [1.0, 2.0]

        def describe_moments(self):
            return {"moments": 2}

    made = Dataset(**settings)
    folder = Path(settings["video_dir"])
    made.videos = VideoLibrary(folder, cache_dir=folder.parent / "cache")
    return made


@pytest.mark.parametrize(
    ("command", "lacks"), [("check", "check, used_keyframes, annotated_boxes"), ("cache", "has no frame cache")]
)
def test_a_data_set_that_lacks_what_a_command_needs_gets_one_line(command, lacks, section, tmp_path):
    done = run(command, *section("lfb_extension.events.EventDataset"), folder=tmp_path)
    assert done.status == 1
    assert done.message.startswith(f"lfb-{command}: data._target_ is lfb_extension.events.EventDataset, ")
    assert lacks in done.message
    assert "\n" not in done.message


def test_a_data_set_that_says_what_to_look_at_is_checked(section, tmp_path):
    done = run("check", *section(f"{__name__}.seen_events"), "splits=[val]", "out=out", folder=tmp_path)
    assert done.status == 0, done.stderr
    content = json.loads((tmp_path / "out" / "check.json").read_text())
    figures = content["splits"]["val"]
    assert (figures["events"], figures["videos_found"], figures["frames"]) == (8, 2, 200)
    assert "bank_gigabytes" not in figures, "nobody has counted its features"
    assert 0 < figures["cache_gigabytes"] < 1e-4  # 2 videos, at most 2 x 4 frames of 64 x 64
    assert [finding["what"] for finding in content["findings"]] == ["one event is too short"]
    assert (tmp_path / "out" / "contact_sheet_val.png").is_file()


def test_a_data_set_that_knows_its_moments_is_cached(section, tmp_path):
    cache = ["cache", *section(f"{__name__}.seen_events"), "splits=[val]", "num_workers=0"]
    assert "2 videos cached, 0 there before, 0 failed" in run(*cache, folder=tmp_path).stdout
    described = CachedVideo(tmp_path / "cache" / "val-0.frames").describe()
    assert described["moments"] == 2
    assert "origin_second" not in described
    assert "0 videos cached, 2 there before, 0 failed" in run(*cache, folder=tmp_path).stdout
