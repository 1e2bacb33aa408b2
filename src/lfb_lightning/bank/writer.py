"""Writes finished videos into a bank folder; a video is there whole or not at all.

Any number of processes may write into one folder: each file is written under a name of its own and renamed, equal
inputs make equal bytes, and a file that is there already is not made again.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64, Int
from safetensors.torch import save
from torch import Tensor

from lfb_lightning.bank.layout import MANIFEST, VideoMetadata, file_name, read_header
from lfb_lightning.bank.manifest import Manifest, Provenance
from lfb_lightning.bank.precision import stored_dtype
from lfb_lightning.bank.stored_video import StoredVideo, checksum, store_video
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import remove_abandoned, write_durably
from lfb_lightning.files.objects.url import Url
from lfb_lightning.files.safetensors_header import read_tensor


class BankWriter:
    """Writes the videos of one split's bank.

    Args:
        folder: `<bank_dir>/<split>`; made if it is not there.
        provenance: What decides the bank's content.

    Raises:
        InputError: If the folder cannot be written, or holds a bank of another provenance.
    """

    def __init__(self, folder: str | Path | Url, provenance: Provenance) -> None:
        if isinstance(folder, Url) or "://" in str(folder):
            raise InputError(
                f"bank {folder}: is no folder; write the bank into one, then `lfb-bank pack folder=<it> to={folder}`."
            )
        self.folder = Path(folder)
        self.provenance = provenance
        self._digest = provenance.digest
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise InputError(f"bank {self.folder}: cannot be written ({error.strerror}); set bank.dir.") from error
        remove_abandoned(self.folder)
        self._manifest: tuple[tuple[int, int], Manifest] | None = None  # as last read, and which file that was
        self.refuse_other_bank()

    def path(self, video_id: str) -> Path:
        """Give the file of a video; it exists when the video is finished."""
        return self.folder / file_name(video_id)

    def is_finished(self, video_id: str) -> bool:
        """Say whether the video's file is there, whole, and made by this provenance; or was, and is packed now."""
        path = self.path(video_id)
        if not path.is_file():
            return self._is_packed(video_id)
        try:
            metadata, _ = read_header(path)
        except InputError:
            if path.is_file():
                raise
            return self._is_packed(video_id)  # removed just now
        if metadata.provenance != self._digest:
            raise InputError(
                f"bank file {path} was made by another checkpoint or configuration; choose another bank.dir or delete "
                f"{self.folder}."
            )
        return True

    def is_of(
        self,
        video_id: str,
        *,
        timestamps: Int[np.ndarray, " N"],
        boxes: Float64[np.ndarray, "N 4"],
        scores: Float64[np.ndarray, " N"],
    ) -> bool:
        """Say whether a finished video's rows are of these persons, in this order; one that is packed now is not read."""
        wanted = {"timestamps": timestamps.astype(np.int32), "boxes": boxes.astype(np.float32)}
        wanted["scores"] = scores.astype(np.float32)
        path = self.path(video_id)
        if not path.is_file() and self._is_packed(video_id):
            return True
        _, spans = read_header(path)
        return all(np.array_equal(read_tensor(path, spans[name]), value) for name, value in wanted.items())

    def write(
        self,
        video_id: str,
        *,
        timestamps: Int[Tensor, " N"],
        boxes: Float64[Tensor, "N 4"],
        scores: Float64[Tensor, " N"],
        features: Float[Tensor, "N C"],
    ) -> Path:
        """Write one video's rows; see `store_video` for what each is.

        Args:
            video_id: The video.
            timestamps: Ticks of the bank's clock.
            boxes: Normalized xyxy.
            scores: Of the detector.
            features: As computed.

        Returns:
            The video's file.

        Raises:
            InputError: Features are not finite, or ticks out of bounds; nothing is written then.
        """
        video = store_video(
            video_id,
            timestamps=timestamps,
            boxes=boxes,
            scores=scores,
            features=features,
            precision=self.provenance.precision,
            clock=self.provenance.clock,
        )
        return self.write_stored(video_id, video)

    def write_stored(self, video_id: str, video: StoredVideo) -> Path:
        """Write one video that is already in this bank's stored form."""
        assert video.features.dtype == stored_dtype(self.provenance.precision)
        tensors = video.to_tensors()
        metadata = VideoMetadata(video_id, len(video.timestamps), self._digest, checksum(tensors))
        path = self.path(video_id)
        write_durably(path, save(tensors, metadata.to_entry()))
        return path

    def _is_packed(self, video_id: str) -> bool:
        """Say whether another run has packed the folder since this one began, with this video in it."""
        path = self.folder / MANIFEST
        if not path.is_file():
            return False
        found = path.stat()
        if self._manifest is None or self._manifest[0] != (found.st_ino, found.st_mtime_ns):
            self._manifest = (found.st_ino, found.st_mtime_ns), Manifest.read(self.folder)
        manifest = self._manifest[1]
        return manifest.packed is not None and video_id not in manifest.failed

    def refuse_other_bank(self) -> None:
        """Raise InputError where the folder holds a packed bank, or one of another provenance."""
        if not (self.folder / MANIFEST).is_file():
            return
        manifest = Manifest.read(self.folder)
        if manifest.packed is not None:
            raise InputError(
                f"bank {self.folder}: is packed, and what is packed is not changed; choose another folder, or "
                f"`lfb-bank unpack folder={self.folder} to=<new folder>` and go on there."
            )
        differences = manifest.provenance.differences(self.provenance)
        if differences:
            raise InputError(
                f"bank {self.folder} was made otherwise ({'; '.join(differences)}); choose another bank.dir or delete it."
            )
