"""Frames of a video file decoded with torchcodec, on the CPU or by an NVIDIA GPU's decoder (NVDEC).

PyAV opens each file first, as `VideoFile` does: what is no plain container is refused there, and `frame_table` tells the time
of each frame. torchcodec is then given an open file and numbers of frames, never a name, and says the time of each picture
that it gives, which must be the one that was asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8

from lfb_lightning.errors import InputError
from lfb_lightning.video.container import refuse_large_clip
from lfb_lightning.video.file import VideoFile
from lfb_lightning.video.frame_table import FrameTable, frame_table, refusal, version_of
from lfb_lightning.video.protocol import VideoProperties, refuse_early_end
from lfb_lightning.video.rolling import stream_from_frames

_FRAMES_AT_ONCE = 16
_INSTALL = "python -m pip install 'lfb-lightning[torchcodec]'"
# Whatever its C++ code raises comes as one of these.
_ERRORS = (RuntimeError, ValueError, IndexError, AssertionError)


class TorchcodecFile:
    """A video file on disk; it keeps the `Video` protocol.

    Args:
        path: The file. Whatever is wrong with it is raised as InputError when it is read, and so is what torchcodec would not
            give frame by frame as `VideoFile` does.
        device: "cpu", or "cuda" for NVDEC; pictures come to the host in both cases.
    """

    def __init__(self, path: str | Path, *, device: str = "cpu") -> None:
        self.path = Path(path)
        self.device = device

    def clip(self, times: Float64[np.ndarray, " T"]) -> UInt8[np.ndarray, "T H W 3"]:
        """Read one clip by random access; see `Video.clip`.

        Args:
            times: Ascending times in seconds since the first frame, float64 `[T]`.

        Returns:
            The nearest frames, RGB uint8 `[T, H, W, 3]`.

        Raises:
            InputError: The file cannot be read, or not by torchcodec.
        """
        table = self._table(len(times))
        refuse_early_end(str(self.path), table.end, min(float(times[-1]), table.stated))
        numbers, places = np.unique(table.nearest(times), return_inverse=True)
        with self._decoder(table) as decoder:
            return self._pictures(decoder, table, numbers)[places]

    def stream(
        self, clip_times: Float64[np.ndarray, "K T"], *, reach: float = 0.0
    ) -> Iterator[UInt8[np.ndarray, "T H W 3"]]:
        """Read many clips in one pass, each frame converted once; see `Video.stream`."""
        table = self._table(clip_times.shape[-1])
        refuse_early_end(str(self.path), table.end, reach)
        with self._decoder(table) as decoder:
            shown = self._shown(decoder, table, np.unique(table.nearest(clip_times)))
            yield from stream_from_frames(shown, clip_times, lambda picture: picture, str(self.path))

    def properties(self) -> VideoProperties:
        """Return length, rate and size, as `VideoFile` does."""
        return VideoFile(self.path).properties()

    def _table(self, frames: int) -> FrameTable:
        if self.device != "cpu":
            _refuse_worker()
        table = frame_table(self.path)
        refuse_large_clip(self.path, frames, table.first.width, table.first.height)
        return table

    def _shown(
        self, decoder: Any, table: FrameTable, numbers: np.ndarray
    ) -> Iterator[tuple[float, UInt8[np.ndarray, "H W 3"]]]:
        for place in range(0, len(numbers), _FRAMES_AT_ONCE):
            some = numbers[place : place + _FRAMES_AT_ONCE]
            yield from zip(table.begins[some].tolist(), self._pictures(decoder, table, some), strict=True)

    def _pictures(self, decoder: Any, table: FrameTable, numbers: np.ndarray) -> UInt8[np.ndarray, "N H W 3"]:
        """Decode frames by their ascending numbers; what comes must be of their time and of the first one's size."""
        found = decoder.get_frames_at(numbers.tolist())
        wrong = np.abs(found.pts_seconds.numpy() - table.stamps[numbers]) > table.unit / 2
        if wrong.any():
            second = table.begins[numbers[wrong][0]]
            raise refusal(self.path, f"another picture than that of {second:.2f} s came")
        pictures: np.ndarray = found.data.cpu().numpy()
        if pictures.shape[1:3] != (table.first.height, table.first.width):
            raise refusal(self.path, "its pictures change their size")
        return pictures

    @contextmanager
    def _decoder(self, table: FrameTable) -> Iterator[Any]:
        """Open the file with torchcodec, which is asked for nothing but this file's bytes."""
        make = _video_decoder()
        try:
            with self.path.open("rb") as file:
                if version_of(os.fstat(file.fileno())) != table.version:
                    raise InputError(f"video {self.path}: was changed while it was opened; read it again.")
                decoder = make(file, dimension_order="NHWC", num_ffmpeg_threads=1, device=self.device)
                if len(decoder) != len(table.begins):
                    raise refusal(self.path, f"it finds {len(decoder)} frames of {len(table.begins)}")
                yield decoder
        except InputError:
            raise
        except _ERRORS as error:
            said = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise refusal(self.path, f"torchcodec: {said:.120}") from error


def _video_decoder() -> Any:
    """Return torchcodec's decoder; raises InputError, with what to install, where it or FFmpeg's libraries are missing."""
    try:
        import torchcodec
    except ImportError as error:
        raise InputError(f"data.decoder needs torchcodec, which is not installed: {_INSTALL}.") from error
    except (RuntimeError, OSError) as error:  # of another release of torch
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(f"data.decoder: torchcodec cannot be loaded ({said:.120}): {_INSTALL}.") from error
    if not torchcodec.ffmpeg_major_version:
        raise InputError(_NO_LIBRARIES)
    return torchcodec.decoders.VideoDecoder


_NO_LIBRARIES = (
    "data.decoder needs FFmpeg's shared libraries (version 4 to 8), which torchcodec does not bring: install them "
    "(`apt-get install ffmpeg`, `conda install ffmpeg`), or use data.decoder=pyav."
)


def _refuse_worker() -> None:
    """Refuse to use a GPU in a loader's worker, which is forked from a process that may use it."""
    from torch.utils.data import get_worker_info

    if get_worker_info() is not None:
        raise InputError(
            "data.decoder=nvdec decodes on the GPU, which loader workers cannot: set data.num_workers=0 (and as many "
            "processes as GPUs, trainer.devices), or data.decoder=torchcodec."
        )
