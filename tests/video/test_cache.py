"""The cache gives, for every moment that it was made for, the frame that the video gives."""

import io
import itertools
import json
import struct

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from lfb_lightning.errors import InputError
from lfb_lightning.video import VideoFile
from lfb_lightning.video.cache import CachedVideo, write_cache
from tests.video.test_frames import constant, read_number, write_video


@pytest.fixture
def made(tmp_path):
    write_video(tmp_path / "a.mp4", constant(25, 4))
    moments = np.array([-0.5, 0.0, 0.5, 1.0, 1.01, 3.0, 9.0])
    write_cache(
        tmp_path / "a.frames", VideoFile(tmp_path / "a.mp4"), moments, short_side=320, quality=95, made_from={"fps": 25}
    )
    return tmp_path / "a.frames"


def test_frames_are_those_of_the_video(made):
    cached = CachedVideo(made)
    clip = cached.clip(np.array([-0.5, 0.5, 1.00001, 3.0, 9.0]))
    assert [read_number(frame) for frame in clip] == [0, 12, 25, 75, 99]
    assert [[read_number(frame) for frame in clip] for clip in cached.stream(np.array([[0.0, 0.5], [1.0, 1.01]]))] == [
        [0, 12],
        [25, 25],
    ]
    cached.verify()
    assert cached.properties().frames == 5  # moments that share a frame share its bytes


def test_frames_are_reduced_and_never_enlarged(made, tmp_path):
    video = VideoFile(tmp_path / "a.mp4")
    assert CachedVideo(made).clip(np.array([0.0])).shape == (1, 48, 160, 3)
    write_cache(tmp_path / "b.frames", video, np.array([0.0]), short_side=24, quality=90, made_from={})
    assert CachedVideo(tmp_path / "b.frames").clip(np.array([0.0])).shape == (1, 24, 80, 3)


def test_other_moments_damage_and_absence_are_named(made, tmp_path):
    with pytest.raises(InputError, match=r"not made for the frame at 2\.000 s"):
        CachedVideo(made).clip(np.array([0.0, 2.0]))
    with pytest.raises(InputError, match="run `lfb-cache`"):
        CachedVideo(tmp_path / "nobody.frames").clip(np.array([0.0]))
    content = bytearray(made.read_bytes())
    content[-10] ^= 255
    made.write_bytes(content)
    with pytest.raises(InputError, match="checksum differs"):
        CachedVideo(made).verify()
    made.write_bytes(content[:100])
    with pytest.raises(InputError, match="cannot be read"):
        CachedVideo(made).clip(np.array([0.0]))


def replace_pictures(path, change):
    """The cache file with `change(pictures)` in place of its JPEGs, its checksum mended."""
    with safe_open(path, framework="np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        metadata = file.metadata()
    content, offsets = tensors["jpeg"].tobytes(), tensors["offsets"]
    pictures = change([content[low:high] for low, high in itertools.pairwise(offsets)])
    tensors["offsets"] = np.cumsum([0, *map(len, pictures)], dtype=np.int64)
    tensors["jpeg"] = np.frombuffer(b"".join(pictures), dtype=np.uint8)
    save_file(tensors, path, metadata)


@pytest.mark.parametrize("how", ["nothing", "a PNG", "half", "a bomb"])
def test_a_picture_that_is_no_whole_jpeg_of_a_frames_size_is_named(made, how):
    def change(pictures):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8)).save(buffer, "PNG")
        place = pictures[1].index(b"\xff\xc0") + 5
        bomb = pictures[1][:place] + struct.pack(">HH", 60000, 60000) + pictures[1][place + 4 :]
        half = pictures[1][: len(pictures[1]) // 2]
        pictures[1] = {"nothing": b"", "a PNG": buffer.getvalue(), "half": half, "a bomb": bomb}[how]
        return pictures

    replace_pictures(made, change)
    assert CachedVideo(made).clip(np.array([0.0])).shape == (1, 48, 160, 3)
    with pytest.raises(InputError, match=r"a\.frames: picture 1: .*(lfb-cache again|make it smaller)") as caught:
        CachedVideo(made).clip(np.array([0.0, 0.5]))
    assert "\n" not in str(caught.value)


def test_pictures_of_several_sizes_are_named(made):
    def change(pictures):
        buffer = io.BytesIO()
        Image.new("RGB", (80, 48)).save(buffer, "JPEG")
        return [*pictures[:-1], buffer.getvalue()]

    replace_pictures(made, change)
    with pytest.raises(InputError, match=r"a\.frames: its pictures differ in size"):
        CachedVideo(made).clip(np.array([0.0, 9.0]))


def rewritten(path, **changes):
    tensors = load_file(path) | changes
    with safe_open(path, framework="np") as file:
        metadata = file.metadata()
    save_file(tensors, path, metadata)
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"frames": np.array([0, 0, 1, 2, 2, 3, 5], np.int32)},
        {"frames": np.array([-1, 0, 1, 2, 2, 3, 4], np.int32)},
        {"frames": np.array([0, 1], np.int32)},
        {"frames": np.zeros(7, np.float32)},
        {"frames": np.zeros((7, 1), np.int32)},
        {"moments": np.zeros(0)},
        {"moments": np.array([3.0, 2, 1, 0, 0, 0, 0])},
        {"moments": np.full(7, np.nan)},
        {"offsets": np.zeros(6, np.int32)},
        {"offsets": np.array([0, 10, 5, 20, 30, 40], np.int64)},
        {"offsets": np.array([0, 1, 2, 3, 4, 2**40], np.int64)},
        {"offsets": np.array([-5, 1, 2, 3, 4, 5], np.int64)},
        {"jpeg": np.zeros(0, np.uint8)},
        {"jpeg": np.zeros(10)},
    ],
)
def test_an_index_that_does_not_fit_is_named(made, changes):
    cached = CachedVideo(rewritten(made, **changes))
    for use in (lambda: cached.clip(np.array([0.0])), cached.properties, cached.describe, cached.verify):
        with pytest.raises(InputError, match=r"a\.frames: cannot be read .*delete it and run `lfb-cache` again"):
            use()


@pytest.mark.parametrize("length", [0, 2**62, 2**64 - 1])
def test_a_header_of_another_length_is_named(made, length):
    made.write_bytes(length.to_bytes(8, "little") + made.read_bytes()[8:])
    with pytest.raises(InputError, match=r"a\.frames: cannot be read"):
        CachedVideo(made).clip(np.array([0.0]))


@pytest.mark.parametrize(
    "spoilt", [{"moments": {"dtype": {}}}, {"moments": {"shape": [1] * 100}}, {"__metadata__": {"lfb": '{"fps": []}'}}]
)
def test_a_header_of_odd_values_is_one_line(made, spoilt):
    content = made.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header |= {name: {**header[name], **change} for name, change in spoilt.items()}
    text = json.dumps(header).encode()
    made.write_bytes(len(text).to_bytes(8, "little") + text + content[end:])
    with pytest.raises(InputError, match=r"frame cache .*a\.frames: .*lfb-cache"):
        CachedVideo(made).properties()
