"""Frame folders: whose JPEGs they are, from which number they count, and what one bad picture costs."""

import io
import os
import struct
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from lfb_lightning.errors import InputError
from lfb_lightning.video import FrameFolder
from lfb_lightning.video.jpeg import decode_jpeg
from tests.video.test_frames import numbered_frame, read_number


def save(path, number, *, size=None, **how):
    image = Image.fromarray(numbered_frame(number))
    (image if size is None else image.resize(size)).save(path, "JPEG", quality=95, **how)


@pytest.fixture
def frames(tmp_path):
    """Twenty frames of 10 per second; frame k shows k."""
    folder = tmp_path / "vid"
    folder.mkdir()
    for number in range(20):
        save(folder / f"img_{number + 1:05d}.jpg", number)
    return folder


def shown(folder, times, **how):
    return [read_number(frame) for frame in FrameFolder(folder, fps=10.0, **how).clip(np.array(times, dtype=float))]


def refusal(folder, times=(0.0, 1.0), **how):
    with pytest.raises(InputError) as caught:
        FrameFolder(folder, fps=10.0, **how).clip(np.array(times, dtype=float))
    message = str(caught.value)
    assert str(folder) in message
    assert "\n" not in message
    return message


def test_hidden_files_and_thumbnails_are_nobodys_frames(frames):
    for number in range(20):
        (frames / f"._img_{number + 1:05d}.jpg").write_bytes(b"\x00\x05\x16\x07 of a Mac")
    (frames / "Thumbs.db").write_bytes(b"of Windows")
    save(frames / "img_00001_thumb.jpg", 77)
    (frames / "@eaDir").mkdir()
    assert shown(frames, [0.0, 0.5, 1.9, 50]) == [0, 5, 19, 19]
    assert FrameFolder(frames, fps=10.0).properties().frames == 20


def test_several_series_are_refused_by_name_and_told_apart_by_the_key(frames):
    for number in range(30):
        save(frames / f"flow_x_{number + 1:05d}.jpg", 500 + number)
    message = refusal(frames)
    assert "img_00001.jpg" in message
    assert "flow_x_00001.jpg" in message
    assert "data.frame_prefix" in message
    assert shown(frames, [0.0, 1.9, 2.5], frame_prefix="img_") == [0, 19, 19]
    assert shown(frames, [0.0, 2.5], frame_prefix="flow_x_") == [500, 525]
    message = refusal(frames, frame_prefix="flow_")
    assert "flow_<number>.jpg" in message
    assert "flow_x_00001.jpg" in message


@pytest.mark.parametrize("other", ["img_1.jpg", "img_00001.JPEG", "img_000001.jpeg"])
def test_two_files_with_one_number_are_refused_by_name(frames, other):
    save(frames / other, 99)
    message = refusal(frames)
    assert "img_00001.jpg" in message
    assert other in message


def test_two_files_with_one_number_in_a_series_that_is_not_read_are_no_matter(frames):
    for name in ("flow_x_1.jpg", "flow_x_01.jpg"):
        save(frames / name, 99)
    assert shown(frames, [0.0, 0.3], frame_prefix="img_") == [0, 3]


def test_endings_and_digits_may_differ_from_name_to_name(tmp_path):
    names = ["f9.jpg", "f10.JPG", "f0011.jpeg", "f12.Jpg"]
    for number, name in enumerate(names):
        save(tmp_path / name, 100 + number)
    assert shown(tmp_path, [0.8, 0.9, 1.0, 1.1]) == [100, 101, 102, 103]
    assert shown(tmp_path, [-1, 9]) == [100, 103]


def test_numbering_from_0_is_not_read_as_numbering_from_1(tmp_path):
    for number in range(5):
        save(tmp_path / f"{number:05d}.jpg", number)
    message = refusal(tmp_path, [0.2])
    assert "00000.jpg" in message
    assert "data.first_frame_number=0" in message
    assert shown(tmp_path, [0.0, 0.2], first_number=0) == [0, 2]


def test_numbering_from_1_is_not_read_as_numbering_from_0(frames):
    message = refusal(frames, first_number=0)
    assert "img_00001.jpg" in message
    assert "data.first_frame_number=1" in message
    (frames / "img_00004.jpg").unlink()  # a folder of those frames that clips touch may begin with any
    assert shown(frames, [0.1, 0.2], first_number=0) == [0, 1]


def test_a_folder_of_the_frames_that_clips_touch_is_read_and_others_are_missed(frames):
    for number in (1, 2, 7, 8, 9):
        (frames / f"img_{number:05d}.jpg").unlink()
    assert shown(frames, [-1.0, 0.2, 0.5, 0.9, 9]) == [2, 2, 5, 9, 19]
    assert "frame number 8 is missing" in refusal(frames, [0.7])


def test_a_folder_without_jpegs_says_what_is_there(tmp_path):
    assert "no such folder" in refusal(tmp_path / "none")
    (tmp_path / "img_00001.png").write_bytes(b"")
    assert "no numbered .jpg" in refusal(tmp_path)


def test_names_are_listed_once_per_folder_and_again_when_it_changed(frames, monkeypatch):
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scandir(path))
    settled = time.time() - 100
    os.utime(frames, (settled, settled))
    for _ in range(5):
        assert shown(frames, [0.1, 1.9]) == [1, 19]
    assert len(listed) == 1
    save(frames / "img_00021.jpg", 20)
    assert shown(frames, [1.9, 2.0]) == [19, 20]
    save(frames / "img_00022.jpg", 21)  # perhaps within one tick of the clock that stamps the folder
    assert shown(frames, [2.0, 2.1]) == [20, 21]


def other_format(path, how):
    Image.fromarray(numbered_frame(3)).save(path, how)


def test_nothing_but_jpeg_is_decoded(frames):
    for how in ("PNG", "GIF", "TIFF", "BMP", "PPM"):
        other_format(frames / "img_00004.jpg", how)
        assert "img_00004.jpg: cannot be read (not a JPEG file)" in refusal(frames, [0.3])
    assert shown(frames, [0.2, 0.4]) == [2, 4]


def test_an_unreadable_picture_is_named(frames):
    path = frames / "img_00004.jpg"
    whole = path.read_bytes()
    for content in (b"", whole[:2], whole[:100], whole[: len(whole) // 2], b"\xff\xd8\xff" + bytes(300)):
        path.write_bytes(content)
        assert "img_00004.jpg: cannot be read" in refusal(frames, [0.3])


def with_size(jpeg, width, height):
    """The JPEG, with another size in its header."""
    place = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:place] + struct.pack(">HH", height, width) + jpeg[place + 4 :]


@pytest.mark.parametrize("size", [(65000, 65000), (12000, 10000), (4096, 4097)])
def test_a_bomb_is_refused_before_it_is_decoded(frames, size):
    path = frames / "img_00004.jpg"
    path.write_bytes(with_size(path.read_bytes(), *size))
    started = time.monotonic()
    assert f"img_00004.jpg: {size[0]}x{size[1]} pixels" in refusal(frames, [0.3])
    assert time.monotonic() - started < 1


def test_a_clip_that_would_not_fit_into_memory_is_refused(tmp_path):
    Image.new("RGB", (4000, 4000)).save(tmp_path / "img_00001.jpg")
    assert "a clip of 64 pictures of 4000 x 4000" in refusal(tmp_path, np.zeros(64))


def test_a_picture_of_endless_scans_is_refused(frames):
    path = frames / "img_00004.jpg"
    save(path, 3, progressive=True)
    jpeg = path.read_bytes()
    assert shown(frames, [0.3]) == [3]
    last_scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    path.write_bytes(jpeg[:-2] + 100_000 * last_scan + b"\xff\xd9")
    started = time.monotonic()
    assert "scans" in refusal(frames, [0.3])
    assert time.monotonic() - started < 1


def test_what_is_no_regular_file_is_refused_without_waiting(frames):
    path = frames / "img_00004.jpg"
    path.unlink()
    os.mkfifo(path)
    assert "img_00004.jpg: is no regular file" in refusal(frames, [0.3])
    path.unlink()
    path.symlink_to("/dev/zero")
    assert "img_00004.jpg: is no regular file" in refusal(frames, [0.3])
    path.unlink()
    path.symlink_to(path)
    assert "img_00004.jpg: cannot be read" in refusal(frames, [0.3])
    path.unlink()
    with path.open("wb") as file:
        file.truncate(1 << 36)  # of zeros that take no room on the disk
    assert "img_00004.jpg: 68719.5 MB" in refusal(frames, [0.3])


def test_a_link_to_a_picture_elsewhere_is_a_picture(frames, tmp_path):
    save(tmp_path / "store.jpg", 321)
    (frames / "img_00004.jpg").unlink()
    (frames / "img_00004.jpg").symlink_to(tmp_path / "store.jpg")
    assert shown(frames, [0.3]) == [321]


def test_pictures_of_several_sizes_are_refused_within_a_clip_and_along_a_stream(frames):
    for number in range(10, 20):
        save(frames / f"img_{number + 1:05d}.jpg", number, size=(320, 96))
    message = refusal(frames, [0.8, 1.2])
    assert "img_00009.jpg is 160x48" in message
    assert "img_00013.jpg is 320x96" in message
    stream = FrameFolder(frames, fps=10.0).stream(np.array([[0.1, 0.2], [0.5, 0.6], [1.5, 1.6]]))
    assert next(stream).shape == next(stream).shape == (2, 48, 160, 3)
    with pytest.raises(InputError, match=r"img_00002\.jpg is 160x48.*img_00016\.jpg is 320x96"):
        next(stream)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_as_their_exif_orientation_says(tmp_path, orientation):
    """OpenCV, browsers and annotation tools show them so; the right picture is what Pillow's own helper makes."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "img_00001.jpg"
    save(path, 5, exif=exif.tobytes())
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    (clip,) = FrameFolder(tmp_path, fps=10.0).clip(np.array([0.0]))
    np.testing.assert_array_equal(clip, expected)
    assert (FrameFolder(tmp_path, fps=10.0).properties().width == 48) == (orientation > 4)


@pytest.mark.parametrize(
    "value",
    ["0003 00000001 0000", "0003 00000001 0009", "0002 00000001 4100", "0007 00000002 0606", "000b 00000001 40d0"],
)
def test_an_orientation_that_is_none_is_left_alone(tmp_path, value):
    """A number out of range, letters, bytes, a fraction."""
    exif = Image.Exif()
    exif[0x0112] = 6
    right, other = (bytes.fromhex(f"0112 {entry}") for entry in ("0003 00000001 0006", value))
    assert right in exif.tobytes()
    save(tmp_path / "img_00001.jpg", 5, exif=exif.tobytes().replace(right, other))
    assert shown(tmp_path, [0.0]) == [5]
    assert FrameFolder(tmp_path, fps=10.0).properties().width == 160


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_print_pictures_become_rgb(tmp_path, mode):
    Image.fromarray(numbered_frame(9)).convert(mode).save(tmp_path / "img_00001.jpg", quality=95)
    assert shown(tmp_path, [0.0]) == [9]


def jpegs():
    exif = Image.Exif()
    exif[0x0112] = 6
    for how in ({}, {"progressive": True}, {"exif": exif.tobytes()}):
        buffer = io.BytesIO()
        Image.fromarray(numbered_frame(700)).save(buffer, "JPEG", **how)
        yield buffer.getvalue()


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # of damaged EXIF data
@settings(max_examples=300, deadline=None)
@given(
    jpeg=st.sampled_from(list(jpegs())),
    changes=st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), min_size=1, max_size=8),
    end=st.integers(0, 4000),
)
def test_damaged_pictures_are_decoded_or_refused_in_a_line(jpeg, changes, end):
    content = bytearray(jpeg)
    for place, value in changes:
        content[place % len(content)] = value
    try:
        outcome = decode_jpeg(bytes(content[: max(end, 20)]), "frame f.jpg", remedy="mend it").shape[2]
    except InputError as error:
        outcome = str(error)
    assert outcome == 3 or (outcome.startswith("frame f.jpg: ") and "\n" not in outcome)
