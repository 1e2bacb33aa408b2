"""A seek never gives a picture that was decoded without those that it refers to, whatever the file's index says."""

import av
import numpy as np
import pytest
from benchmarks.codecs import CELLS, FPS, FRAMES, plain_decode, read_number, write_cell

from lfb_lightning.video import VideoFile

KINDS = {cell.what: cell for cell in CELLS}


def read_everywhere(path, first, last):
    """By seek and by stream, the frame shown at each frame time must be that number."""
    video = VideoFile(path)
    wanted = np.arange(last - first + 1)
    by_seek = [read_number(video.clip(np.array([number / FPS]))[0]) for number in wanted]
    by_stream = [read_number(clip[0]) for clip in video.stream(wanted[::4, None] / FPS)]
    assert by_seek == list(range(first, last + 1))
    assert by_stream == by_seek[::4]


@pytest.mark.parametrize("kind", ["H.264, open GOP", "HEVC, open GOP", "MPEG-2"])
@pytest.mark.parametrize("into_the_group", [0, 2000])
def test_a_recording_that_begins_in_an_open_group_of_pictures_starts_at_its_first_key_picture(
    tmp_path, kind, into_the_group
):
    write_cell(tmp_path / "a.ts", KINDS[kind])
    with av.open(str(tmp_path / "a.ts")) as container:
        keys = [packet.pos for packet in container.demux(video=0) if packet.is_keyframe]
    begin = (keys[1] + into_the_group) // 188 * 188
    (tmp_path / "cut.ts").write_bytes((tmp_path / "a.ts").read_bytes()[begin:])
    first = read_number(VideoFile(tmp_path / "cut.ts").clip(np.array([0.0]))[0])
    group = 18 if kind == "MPEG-2" else 20  # MPEG-2's first group is shorter by its leading pictures
    assert 0 <= first - group * (2 if into_the_group else 1) <= 3
    read_everywhere(tmp_path / "cut.ts", first, FRAMES - 1)


@pytest.mark.parametrize("kind", ["MPEG-4 ASP", "MPEG-4 SP", "H.264, no B-frames"])
@pytest.mark.parametrize("index", ["every picture is a key picture", "there is none", "no picture is a key picture"])
def test_a_wrong_index_of_an_avi_file_misleads_nobody(tmp_path, kind, index):
    path = tmp_path / "a.avi"
    write_cell(path, KINDS[kind])
    content = bytearray(path.read_bytes())
    place = content.rindex(b"idx1")
    for entry in range(place + 8, place + 8 + int.from_bytes(content[place + 4 : place + 8], "little"), 16):
        content[entry + 4] = content[entry + 4] | 0x10 if "every" in index else content[entry + 4] & ~0x10
    path.write_bytes(content[:place] if "none" in index else content)
    read_everywhere(path, 0, FRAMES - 1)


def test_decoding_whole_from_further_back_gives_the_same_frames(tmp_path):
    write_cell(tmp_path / "a.mp4", KINDS["H.264, open GOP"])
    truth = plain_decode(tmp_path / "a.mp4")
    times = np.array([1.0, 1.2, 3.0])
    clip = VideoFile(tmp_path / "a.mp4").clip_decoded_whole(times)
    np.testing.assert_array_equal(clip, [truth[30], truth[36], truth[90]])
