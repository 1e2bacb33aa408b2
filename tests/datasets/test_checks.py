"""A good data set passes; each way to break one is found and named."""

import shutil
from dataclasses import replace

import av
import pytest
from benchmarks.codecs import CELLS, FPS, write_cell
from PIL import Image

from lfb_lightning.clips import ClipSampling
from lfb_lightning.datasets.checks.findings import SplitReport
from lfb_lightning.datasets.checks.fingerprint import fingerprint
from lfb_lightning.datasets.checks.videos import look_at_videos, report_videos
from lfb_lightning.errors import InputError
from lfb_lightning.video import selective
from tests.factories import ava_data
from tests.video.test_frames import constant, write_video
from tests.video.test_orientation import MATRICES, write_corners
from tests.video.test_time import encoded, write

SAMPLING = ClipSampling(num_frames=4, stride=3, fps=10.0)


def described(folder, **changes):
    settings = {
        "video_dir": str(folder / "videos"),
        "label_map": str(folder / "mini_ava_action_list.pbtxt"),
        "annotations": str(folder / "mini_ava_{split}.csv"),
        "proposals": str(folder / "mini_ava_{split}_proposals.pkl"),
        "fps": 10.0,
        "first_second": 901,
        "last_second": 920,
        "frame_stride": 3,
        "train_short_side": None,
        "eval_short_side": None,
    }
    return ava_data(**(settings | changes))[0].split("val")


def messages(report, level="error"):
    return [finding.what for finding in report.findings if finding.level == level]


def test_a_good_data_set_has_no_findings(mini_dir):
    split = described(mini_dir, expected_counts={"val": {"videos": 3, "classes": 14, "annotation_rows": None}})
    report = split.check()
    report_videos(
        list(look_at_videos(split, split.used_keyframes(), SAMPLING, exactness_probes=2)),
        report,
        source="video",
        exactness_probes=2,
    )
    assert report.findings == []
    assert report.figures["videos_found"] == 3
    assert report.figures["keyframes_with_proposals"] == 1.0
    assert report.figures["proposal_recall_at_0.5"] > 0.9


def test_of_several_proposals_the_first_that_is_there_is_read(mini_dir, tmp_path):
    (tmp_path / "val_found.csv").write_text("mini-val-000,902,0.1,0.2,0.3,0.4,,0.95\n")
    named = [str(tmp_path / "{split}_gone.pkl"), str(tmp_path / "{split}_found.csv")]
    split = described(mini_dir, proposals=[*named, str(mini_dir / "mini_ava_{split}_proposals.pkl")])
    assert [str(keyframe) for keyframe in split.tables.proposals.keyframes] == ["mini-val-000,0902"]
    with pytest.raises(InputError, match=r"val_gone\.pkl: no such file"):
        _ = described(mini_dir, proposals=named[:1]).tables.proposals
    with pytest.raises(InputError, match=r"data\.proposals is an empty list"):
        described(mini_dir, proposals=[])


def test_counts_that_differ_are_errors(mini_dir):
    report = described(mini_dir, expected_counts={"val": {"videos": 4, "annotation_rows": 1, "moons": 2}}).check()
    assert messages(report)[0] == "videos: 3, expected 4"
    assert messages(report)[1].startswith("annotation_rows: ")
    assert "moons" in messages(report, "warning")[0]


def test_seconds_that_are_never_used(mini_dir):
    report = described(mini_dir, first_second=1, last_second=20, expected_counts={}).check()
    assert "its seconds are 901 to 919, used are 1 to 20" in messages(report)[0]


def scaled_proposals(mini_dir, path, factor):
    lines = (mini_dir / "mini_ava_val.csv").read_text().splitlines()
    proposals = []
    for line in lines:
        video, second, *box, _, _ = line.split(",")
        x1, y1, x2, y2 = (factor * float(value) for value in box)
        proposals.append(f"{video},{int(second)},{x1},{y1},{x2},{y2},,0.99")
    path.write_text("\n".join(proposals[:40]))
    return str(path)


def test_pixel_boxes(mini_dir, tmp_path):
    with pytest.raises(InputError, match=r"proposals\.csv, row 1: box .* is not within 0\.\.1"):
        described(mini_dir, proposals=scaled_proposals(mini_dir, tmp_path / "proposals.csv", 96)).check()


def test_low_recall_and_late_proposals(mini_dir, tmp_path):
    report = described(mini_dir, proposals=scaled_proposals(mini_dir, tmp_path / "proposals.csv", 0.2)).check()
    warnings = " ".join(messages(report, "warning"))
    assert "annotated keyframes have proposals" in warnings
    assert "find 0.0% of the annotated persons" in warnings


def test_missing_broken_and_short_videos(mini_dir, tmp_path):
    shutil.copytree(mini_dir / "videos", tmp_path / "videos")
    names = sorted(path for path in (tmp_path / "videos").iterdir() if "val" in path.name)
    names[0].unlink()
    names[1].write_bytes(b"nothing")
    split = described(mini_dir, video_dir=str(tmp_path / "videos"), origin_second=890.0)
    facts = list(look_at_videos(split, split.used_keyframes(), SAMPLING, exactness_probes=0))
    report = SplitReport("val")
    report_videos(facts, report, source="video", exactness_probes=0)
    assert "no file with one of the endings" in messages(report)[0]
    assert "cannot be decoded" in messages(report)[1]
    assert report.figures["videos_found"] == 1
    (warning,) = messages(report, "warning")
    assert "end before their last keyframes" in warning


def test_the_fingerprint_tells_other_frames(mini_dir):
    first = fingerprint(described(mini_dir), SAMPLING, 4)
    assert first == fingerprint(described(mini_dir), SAMPLING, 4)
    assert len(first["probes"]) == 4
    shifted = fingerprint(described(mini_dir), replace(SAMPLING, shift=4.0), 4)
    assert shifted["digest"] != first["digest"]
    assert shifted["probes"].keys() == first["probes"].keys()


@pytest.mark.parametrize("number", [1, 1000])
def test_a_fingerprint_of_missing_videos_says_so(mini_dir, tmp_path, number):
    probes = fingerprint(described(mini_dir, video_dir=str(tmp_path)), SAMPLING, number)["probes"]
    assert all("no file" in probe["unreadable"] for probe in probes.values())


@pytest.fixture
def videos(mini_dir, tmp_path):
    """The validation videos, to be replaced."""
    (tmp_path / "videos").mkdir()
    for path in (mini_dir / "videos").glob("mini-val-*.mp4"):
        shutil.copy(path, tmp_path / "videos")
    return tmp_path / "videos"


def looked_at(mini_dir, folder, *, probes=3, **changes):
    split = described(mini_dir, video_dir=str(folder), **changes)
    report = SplitReport("val")
    facts = list(look_at_videos(split, split.used_keyframes(), SAMPLING, exactness_probes=probes))
    report_videos(facts, report, source=split.data.source, exactness_probes=probes)
    assert len(facts) == 3, "a broken video does not end the check"
    assert all(finding.remedy for finding in report.findings)
    return report


def write_two_sizes(path, codec="libx264", **how):
    first, second = encoded(300, codec=codec, **how), encoded(300, codec=codec, size=(320, 128), **how)
    for packet in second:
        packet.pts, packet.dts = packet.pts + 300, packet.dts + 300
    write(path, first + second, codec=codec)


def test_what_is_odd_about_a_readable_video_is_said(mini_dir, videos):
    write_corners(videos / "mini-val-000.mp4", MATRICES["a quarter clockwise"][0], frames=200)
    (videos / "mini-val-001.mp4").unlink()
    write_two_sizes(videos / "mini-val-001.ts")
    write_video(videos / "mini-val-002.mp4", [*constant(10, 8), *(12.5 + time for time in constant(10, 8))])
    report = looked_at(mini_dir, videos)
    assert messages(report) == []
    (note,) = messages(report, "note")
    assert note.startswith("1 of 3 videos are turned by their display matrix")
    assert "mini-val-000 (-90 degrees)" in note
    warnings = messages(report, "warning")
    assert any("size of their picture: mini-val-001 (320x128 from 10.00 s)" in text for text in warnings), warnings
    assert any("gaps between their frames: mini-val-002 (4.60 s after 7.90 s)" in text for text in warnings), warnings
    assert report.figures["rotated"] == {"mini-val-000": -90}
    assert list(report.figures["size_changes"]) == ["mini-val-001"]
    assert "64x96" in report.figures["sizes"]  # as shown
    assert report.figures["frames"] == 200 + 600 + 160  # counted: the second file's header states none


def test_a_size_that_changes_at_no_key_picture_is_found_in_the_videos_that_are_probed(mini_dir, videos):
    (videos / "mini-val-000.mp4").unlink()
    write_two_sizes(videos / "mini-val-000.webm", "libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"})
    assert "mini-val-000" in looked_at(mini_dir, videos, probes=1).figures["size_changes"]


def test_frames_without_time_stamps_are_said(mini_dir, videos):
    write_cell(videos / "a.h264", next(cell for cell in CELLS if cell.what == "H.264"))
    (videos / "a.h264").rename(videos / "mini-val-000.mp4")
    report = looked_at(mini_dir, videos)
    assert any("without time stamps: mini-val-000 (100 frames)" in text for text in messages(report, "warning"))


def test_keyframes_outside_of_a_video_are_counted_at_both_ends(mini_dir, videos):
    report = looked_at(mini_dir, videos, origin_second=903.0)
    assert report.figures["keyframes_before_the_start"] == dict.fromkeys(
        ["mini-val-000", "mini-val-001", "mini-val-002"], 2
    )
    assert report.figures["keyframes_after_the_end"] == {}
    write_video(videos / "mini-val-001.mp4", constant(FPS, 10))
    report = looked_at(mini_dir, videos)
    assert report.figures["keyframes_after_the_end"] == {"mini-val-001": 9}


def test_videos_that_may_be_whole_movies_are_said(mini_dir, videos, tmp_path):
    last = {"mini-val-000": 8, "mini-val-001": 12, "mini-val-002": 12}
    rows = [f"{video_id},{second},0.1,0.1,0.9,0.9" for video_id, second in last.items()]
    (tmp_path / "val.csv").write_text("".join(f"{row},1,0\n" for row in rows))
    (tmp_path / "persons.csv").write_text("".join(f"{row},,0.9\n" for row in rows))
    write_video(videos / "mini-val-000.mp4", constant(FPS, 9))
    write_video(videos / "mini-val-001.mp4", constant(FPS, 11))  # it ends before second 12; the third one lasts 20
    own = {"annotations": str(tmp_path / "val.csv"), "proposals": str(tmp_path / "persons.csv")}
    own |= {"first_second": 6, "last_second": 12}
    report = looked_at(mini_dir, videos, **own, origin_second=6.0)
    assert list(report.figures["may_be_uncut"]) == ["mini-val-000", "mini-val-002"]
    assert any("2 of 3 videos are long enough to be whole movies" in text for text in messages(report, "warning"))
    assert looked_at(mini_dir, videos, **own, origin_second=0.0).figures["may_be_uncut"] == {}


def test_the_probes_notice_a_decoder_that_gives_other_frames_under_skipping(mini_dir, videos, monkeypatch):
    with av.open(str(videos / "mini-val-000.mp4")) as source, av.open(str(videos / "a.mkv"), "w") as container:
        stream = container.add_stream("libsvtav1", rate=10, options={"preset": "10", "g": "40"})
        stream.width, stream.height, stream.pix_fmt = 96, 96, "yuv420p"
        for frame in source.decode(video=0):
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    (videos / "a.mkv").rename(videos / "mini-val-000.mkv")
    (videos / "mini-val-000.mp4").unlink()
    assert looked_at(mini_dir, videos).findings == []
    monkeypatch.setattr(selective, "EXACT_UNDER_SKIPPING", {"libdav1d"})
    (message,) = messages(looked_at(mini_dir, videos))
    assert "video mini-val-000: read " in message
    assert "than decoded without seeking or skipping" in message


@pytest.fixture
def frames(mini_dir, tmp_path):
    """The validation videos as JPEGs."""
    for path in (mini_dir / "videos").glob("mini-val-*.mp4"):
        (tmp_path / "frames" / path.stem).mkdir(parents=True)
        with av.open(str(path)) as container:
            for number, frame in enumerate(container.decode(video=0), 1):
                frame.to_image().save(tmp_path / "frames" / path.stem / f"img_{number:05d}.jpg")
    return tmp_path / "frames"


def truncate(path):
    path.write_bytes(path.read_bytes()[:-200])


BROKEN_FOLDERS = {
    "one number": (lambda folder: shutil.copy(folder / "img_00150.jpg", folder / "img_150.jpg"), "carry one number"),
    "two series": (lambda folder: shutil.copy(folder / "img_00150.jpg", folder / "flow_x_00150.jpg"), "2 series"),
    "from 0": (lambda folder: shutil.copy(folder / "img_00001.jpg", folder / "img_00000.jpg"), "first_frame_number=0"),
    "sizes": (lambda folder: Image.new("RGB", (96, 48)).save(folder / "img_00101.jpg"), "img_00101.jpg is 96x48"),
    "a hole": (lambda folder: (folder / "img_00101.jpg").unlink(), "frame number 101 is missing"),
    "cut off": (lambda folder: truncate(folder / "img_00101.jpg"), "img_00101.jpg: cannot be read"),
    "a PNG": (lambda folder: Image.new("RGB", (96, 96)).save(folder / "img_00101.jpg", "PNG"), "not a JPEG file"),
}


@pytest.mark.parametrize("how", BROKEN_FOLDERS)
def test_folders_of_jpegs_are_looked_through(mini_dir, frames, how):
    assert looked_at(mini_dir, frames, source="frames").findings == []
    spoil, expected = BROKEN_FOLDERS[how]
    spoil(frames / "mini-val-001")
    report = looked_at(mini_dir, frames, source="frames", probes=0)
    (message,) = messages(report)
    assert expected in message
    assert str(frames / "mini-val-001") in message
    assert list(report.figures["videos_unusable"]) == ["mini-val-001"]


def test_bytes_behind_the_end_of_a_jpeg_are_no_damage(mini_dir, frames):
    for path in (frames / "mini-val-001").iterdir():
        path.write_bytes(path.read_bytes() + bytes(1000))
    assert looked_at(mini_dir, frames, source="frames").findings == []


def test_numbers_that_count_from_elsewhere_show_as_keyframes_outside(mini_dir, frames):
    folder = frames / "mini-val-001"
    for path in folder.iterdir():
        path.rename(folder / f"whole_{int(path.stem[4:]) + 9000:05d}.jpg")
    report = looked_at(mini_dir, frames, source="frames")
    assert report.figures["keyframes_before_the_start"] == {"mini-val-001": 19}
