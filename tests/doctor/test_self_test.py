"""The self test finds what it is for: each step fails when the part that it tests is wrong."""

import av
import numpy as np
import pytest

from lfb_lightning.doctor import Settings, self_test
from lfb_lightning.video import VideoFile


def lines(**given):
    return list(self_test.check_self_test(Settings(conf_dir="conf", **given)))


def test_it_writes_a_real_h264_file_whose_frames_say_their_numbers(tmp_path):
    assert self_test.write_video(tmp_path / "test.mp4") is None
    with av.open(str(tmp_path / "test.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        pictures = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    numbers = [sum(int(picture[32, 8 + 16 * bit] > 127) << bit for bit in range(6)) for picture in pictures]
    assert numbers == list(range(48))
    assert self_test.read_video(tmp_path / "test.mp4") is None


def test_every_step_is_well_here():
    made = lines()
    assert [line.status for line in made] == ["ok"] * len(made)
    assert len(made) >= 4
    assert [line.status for line in lines(self_test=False)] == ["note"]


def test_a_decoder_that_is_one_frame_late_is_found(monkeypatch, tmp_path):
    self_test.write_video(tmp_path / "test.mp4")
    right = VideoFile.clip
    monkeypatch.setattr(VideoFile, "clip", lambda video, times: right(video, np.asarray(times) + 1 / 25))
    assert self_test.read_video(tmp_path / "test.mp4").endswith("got (1, 8, 9, 24, 41, 47)")


def test_a_bank_whose_window_is_wrong_is_found(monkeypatch, tmp_path):
    from lfb_lightning.bank import WindowSpec

    late = WindowSpec(before=2, after=3, slots=18, per_tick=3)
    monkeypatch.setattr(WindowSpec, "of_seconds", lambda *_: late)
    assert "other features" in self_test.write_and_read_bank(tmp_path / "bank")


@pytest.mark.filterwarnings("ignore")
def test_an_fbo_that_gives_no_numbers_is_found(monkeypatch):
    import torch

    from lfb_lightning.models import FBONonLocal

    right = FBONonLocal.forward
    monkeypatch.setattr(FBONonLocal, "forward", lambda *given: right(*given) * torch.nan)
    assert "finite" in self_test.train_step("cpu")


def test_a_step_that_raises_is_a_line():
    (line,) = self_test._step("divide", lambda: 1 / 0)
    assert line.status == "problem"
    assert "ZeroDivisionError" in line.what
