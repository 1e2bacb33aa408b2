"""What torchcodec reads is frame by frame what PyAV reads, by seek and in one pass; the rest is refused at opening."""

import subprocess
import sys
from dataclasses import replace

import av
import numpy as np
import pytest
from benchmarks.codecs import CELLS, FPS, FRAMES, HEIGHT, WIDTH, plain_decode, read_number, write_cell

from lfb_lightning.errors import InputError
from lfb_lightning.video import VideoFile, VideoLibrary, torchcodec_file
from lfb_lightning.video.frame_table import frame_table
from lfb_lightning.video.torchcodec_file import TorchcodecFile
from tests.video.test_orientation import MATRICES, write_corners
from tests.video.test_time import encoded, shifted, write

try:
    import torchcodec

    LIBRARIES = torchcodec.ffmpeg_major_version is not None
except (ImportError, RuntimeError, OSError):
    LIBRARIES = False
needs_torchcodec = pytest.mark.skipif(not LIBRARIES, reason="FFmpeg's libraries for torchcodec are not here")

PIXEL_BOUND = 2  # of 255: both convert to RGB, each with its own FFmpeg
READ = {"H.264", "HEVC", "VP8", "VP9", "AV1", "Motion JPEG", "ProRes"}
CONTAINERS = {"mp4", "mov", "mkv", "webm"}
EVERY = {f"{cell.what} in {ending}": (cell, ending) for cell in CELLS for ending in cell.containers}
QUICK = {"H.264 in mp4", "H.264 in mkv", "HEVC, open GOP in mp4", "VP9 in webm", "AV1 in mp4"}
QUICK |= {"H.264, intra refresh in mp4", "H.264, interlaced (MBAFF) in mp4", "MPEG-4 ASP in avi", "H.264 in ts"}
KINDS = {cell.what: cell for cell in CELLS}


def is_read(cell, ending):
    """Whether a cell is one that torchcodec is let read."""
    plain = "intra refresh" not in cell.what and "interlaced" not in cell.what
    return plain and ending in CONTAINERS and cell.what.partition(", ")[0] in READ


def refused(path, reason):
    """Both ways of reading refuse with a line that names the file, the reason and the other decoder."""
    video = TorchcodecFile(path)
    for read in (lambda: video.clip(np.array([0.5])), lambda: list(video.stream(np.array([[0.5]])))):
        with pytest.raises(InputError, match=reason) as caught:
            read()
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "data.decoder=pyav" in str(caught.value)


def wrong_numbers(path, truth):
    """The frames that are another picture than the one asked for, or differ by more than the bound, in both ways."""
    video = TorchcodecFile(path)
    clips = np.array([[first, first + 1, first + 16] for first in range(FRAMES - 16)])
    found = [*zip(clips[::11], map(video.clip, clips[::11] / FPS), strict=True)]
    for some in (clips, clips[4::9]):
        found += zip(some, video.stream(some / FPS), strict=True)
    assert len(found) == len(clips[::11]) + len(clips) + len(clips[4::9])
    return {
        number
        for clip, frames in found
        for number, frame in zip(clip.tolist(), frames, strict=True)
        if read_number(frame) != number or np.abs(frame.astype(int) - truth[number]).max() > PIXEL_BOUND
    }


@needs_torchcodec
@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.thorough) for name in EVERY]
)
def test_each_cell_of_the_codec_table_is_exact_or_refused(tmp_path, name):
    cell, ending = EVERY[name]
    write_cell(path := tmp_path / f"a.{ending}", cell)
    if is_read(cell, ending):
        assert wrong_numbers(path, plain_decode(path)) == set()
    else:
        refused(path, "data.decoder=torchcodec does not read it")


@needs_torchcodec
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_seconds_count_from_a_late_first_frame(tmp_path, ending):
    shifted(path := tmp_path / f"a.{ending}", 5 * FPS)
    assert [read_number(frame) for frame in TorchcodecFile(path).clip(np.array([0, 1, 30, 99]) / FPS)] == [0, 1, 30, 99]


@needs_torchcodec
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_uneven_times_and_the_middle_between_two(tmp_path, ending):
    packets = encoded(40, options={"bf": "2"})
    stamps = np.cumsum([1 + number % 3 for number in range(40)]) - 1  # 0, 2, 5, 6, 8, ...
    for packet in packets:
        packet.pts, packet.dts = int(stamps[packet.pts]), int(stamps[packet.dts]) if packet.dts >= 0 else packet.dts
    write(path := tmp_path / f"a.{ending}", packets)
    middles = (stamps[:-1] + stamps[1:]) / 2
    times = np.sort(np.concatenate([stamps, middles, middles + 0.05, [1000.0]])) / FPS
    ours, theirs = VideoFile(path).clip(times[:-1]), TorchcodecFile(path).clip(times[:-1])
    assert [read_number(frame) for frame in theirs] == [read_number(frame) for frame in ours]
    assert np.array_equal(next(TorchcodecFile(path).stream(times[None])), next(VideoFile(path).stream(times[None])))


@needs_torchcodec
def test_an_edit_list_leaves_out_what_pyav_leaves_out(tmp_path):
    write_cell(tmp_path / "whole.mp4", KINDS["H.264"])
    with av.open(str(tmp_path / "whole.mp4")) as source, av.open(str(tmp_path / "a.mp4"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:  # pictures before 0 are cut off by an edit list
                packet.pts -= round(0.5 / packet.time_base)
                packet.dts -= round(0.5 / packet.time_base)
                packet.stream = stream
                target.mux(packet)
    path = tmp_path / "a.mp4"
    times = np.arange(0, 60, 7) / FPS
    ours = [read_number(frame) for frame in VideoFile(path).clip(times)]
    assert ours[0] > 0
    assert [read_number(frame) for frame in TorchcodecFile(path).clip(times)] == ours


@needs_torchcodec
@pytest.mark.parametrize("name", ["a quarter clockwise", "upside down", "mirrored left to right"])
def test_turned_pictures_are_refused(tmp_path, name):
    write_corners(path := tmp_path / "a.mp4", MATRICES[name][0])
    refused(path, "to be turned")


@needs_torchcodec
@pytest.mark.parametrize("growing", [True, False])
def test_pictures_whose_size_changes_are_refused(tmp_path, growing):
    sizes = [(WIDTH, HEIGHT), (2 * WIDTH, 2 * HEIGHT)][:: 1 if growing else -1]
    options = {"deadline": "realtime", "cpu-used": "8"}
    first, second = (encoded(50, codec="libvpx-vp9", size=size, options=options) for size in sizes)
    for packet in second:
        packet.pts, packet.dts = packet.pts + 50, packet.dts + 50
    write(path := tmp_path / "a.webm", first + second, codec="libvpx-vp9")
    for times in ([10.0, 80.0], [80.0]):
        with pytest.raises(InputError, match=r"change their size|torchcodec: .*data\.decoder=pyav"):
            TorchcodecFile(path).clip(np.array(times) / FPS)


@needs_torchcodec
def test_another_file_in_the_place_of_the_one_that_was_looked_at_is_refused(tmp_path, monkeypatch):
    write_cell(path := tmp_path / "a.mp4", KINDS["H.264"])
    table = frame_table(path)
    path.unlink()
    write_cell(path, KINDS["HEVC, open GOP"])
    monkeypatch.setattr(torchcodec_file, "frame_table", lambda path: table)
    with pytest.raises(InputError, match="changed while it was opened"):
        TorchcodecFile(path).clip(np.array([0.5]))


@needs_torchcodec
def test_a_cut_file_is_refused(tmp_path):
    write_cell(path := tmp_path / "a.mkv", KINDS["H.264"])
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(InputError, match="cut off"):
        list(TorchcodecFile(path).stream(np.array([[0.1, 3.2]]), reach=3.2))


@needs_torchcodec
def test_a_picture_of_another_time_is_never_given(tmp_path, monkeypatch):
    write_cell(path := tmp_path / "a.mp4", KINDS["H.264"])
    table = frame_table(path)
    later = np.append(table.stamps[1:], table.stamps[-1] + 1 / FPS)
    monkeypatch.setattr(torchcodec_file, "frame_table", lambda path: replace(table, stamps=later))
    with pytest.raises(InputError, match=r"another picture than that of 0\.50 s came"):
        TorchcodecFile(path).clip(np.array([0.5]))


@needs_torchcodec
def test_both_ffmpegs_live_in_one_process(tmp_path):
    write_cell(path := tmp_path / "a.mp4", KINDS["H.264"])
    times = np.arange(0, 90, 9) / FPS
    for first, second in ((VideoFile, TorchcodecFile), (TorchcodecFile, VideoFile)):
        streams = zip(first(path).stream(times[:, None]), second(path).stream(times[:, None]), strict=True)
        assert all(np.abs(one.astype(int) - other).max() <= PIXEL_BOUND for one, other in streams)


def test_a_list_of_other_files_never_reaches_torchcodec(tmp_path, monkeypatch):
    monkeypatch.setattr(torchcodec_file, "_video_decoder", lambda: pytest.fail("torchcodec was asked"))
    (tmp_path / "a.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\ngood.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(InputError, match="cannot be decoded"):
        TorchcodecFile(tmp_path / "a.mp4").clip(np.array([0.5]))


def test_what_is_missing_is_named_with_what_to_install(tmp_path, monkeypatch):
    write_cell(path := tmp_path / "a.mp4", KINDS["H.264"])
    video = TorchcodecFile(path)
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    with pytest.raises(InputError, match=r"pip install 'lfb-lightning\[torchcodec\]'"):
        video.clip(np.array([0.5]))
    without = type(sys)("torchcodec")
    without.ffmpeg_major_version = None
    monkeypatch.setitem(sys.modules, "torchcodec", without)
    with pytest.raises(InputError, match=r"apt-get install ffmpeg.*data\.decoder=pyav"):
        video.clip(np.array([0.5]))


def test_a_gpu_decodes_in_the_main_process_only(tmp_path, monkeypatch):
    write_cell(path := tmp_path / "a.mp4", KINDS["H.264"])
    monkeypatch.setattr("torch.utils.data.get_worker_info", lambda: object())
    with pytest.raises(InputError, match=r"data\.num_workers=0"):
        TorchcodecFile(path, device="cuda").clip(np.array([0.5]))


def test_the_library_opens_what_the_key_says(tmp_path):
    write_cell(tmp_path / "a.mp4", KINDS["H.264"])
    kinds = {"pyav": (VideoFile, None), "torchcodec": (TorchcodecFile, "cpu"), "nvdec": (TorchcodecFile, "cuda")}
    for decoder, (kind, device) in kinds.items():
        video = VideoLibrary(tmp_path, decoder=decoder).open("a")
        assert type(video) is kind
        assert getattr(video, "device", None) == device
    with pytest.raises(InputError, match=r"data\.decoder is torchcodec.*data\.source is frames"):
        VideoLibrary(tmp_path, source="frames", decoder="torchcodec")
    with pytest.raises(InputError, match=r"data\.decoder is 'decord', expected one of pyav, torchcodec, nvdec"):
        VideoLibrary(tmp_path, decoder="decord")


@pytest.mark.gpu
@needs_torchcodec
@pytest.mark.parametrize("kind", ["H.264", "HEVC, open GOP", "VP9", "AV1"])
def test_nvdec_gives_the_frames_of_the_cpu(tmp_path, kind):
    write_cell(path := tmp_path / "a.mp4", KINDS[kind])
    clips = np.array([[first, first + 1, first + 16] for first in range(0, FRAMES - 16, 5)])
    truth = plain_decode(path)
    video = TorchcodecFile(path, device="cuda")
    for read in (map(video.clip, clips / FPS), video.stream(clips / FPS)):
        for clip, frames in zip(clips, read, strict=True):
            assert [read_number(frame) for frame in frames] == clip.tolist()
            differences = [np.abs(frame.astype(int) - truth[n]) for n, frame in zip(clip, frames, strict=True)]
            assert np.max(differences) <= 4 * PIXEL_BOUND
            assert np.mean(differences) < 1.0


def test_nothing_is_imported_before_it_is_asked_for():
    code = "import sys, lfb_lightning.video; assert 'torchcodec' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
