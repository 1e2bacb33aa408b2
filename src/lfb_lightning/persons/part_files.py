"""The persons of a data set, a file per video, until they are merged into one csv in AVA's form."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lfb_lightning.bank.layout import SUFFIX, file_name
from lfb_lightning.clock import Clock
from lfb_lightning.errors import InputError, one_line
from lfb_lightning.files.durable import durable_file, remove_abandoned, write_durably, write_json
from lfb_lightning.files.json_file import read_json_object
from lfb_lightning.structures import Proposals

_SETTINGS = "settings.json"
_MADE_FROM = "# made from: "  # the first line of each video's file, which is not merged


class PartFiles:
    """A folder beside the csv with a file per finished video; several runs may fill it at once.

    Args:
        out: The csv; the folder's name is this and `.parts`.
        stamp: Gives what changes when a video is replaced, or nothing if it is not there any more; see `Moments.stamp`.
    """

    def __init__(self, out: Path, stamp: Callable[[str], str]) -> None:
        self.out = out
        self._stamp = stamp
        self.folder = out.with_name(f"{out.name}.parts")

    def path(self, video_id: str) -> Path:
        """Return a video's file."""
        return self._file(video_id, ".csv")

    def is_finished(self, video_id: str) -> bool:
        """Tell whether a video's file is there, and was made from the video as it is now."""
        try:
            with self.path(video_id).open("rb") as part:
                made_from = part.readline().decode().strip()
        except FileNotFoundError:
            return False
        now = self._stamp(video_id)
        return not now or made_from == f"{_MADE_FROM}{now}"

    def open(self, settings: Mapping[str, Any]) -> None:
        """Make the folder, or go on in it.

        Args:
            settings: What decides the content of the files; plain values.

        Raises:
            InputError: The folder cannot be made, or its files were made with other settings.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{self.folder}: cannot be made ({error.strerror}); choose another out=FILE.csv."
            ) from error
        remove_abandoned(self.folder)
        path = self.folder / _SETTINGS
        wanted = json.loads(json.dumps(settings))
        if not path.is_file():
            write_json(path, wanted)
        found = read_json_object(path, what="settings")
        different = [key for key in sorted(wanted.keys() | found.keys()) if wanted.get(key) != found.get(key)]
        if different:
            key = different[0]
            raise InputError(
                f"{self.folder}: its videos were made with {key} {found.get(key)!r}, now it is {wanted.get(key)!r}; choose "
                "another out=FILE.csv, or delete the folder."
            )

    def write(self, video_id: str, clock: Clock, moments: Iterable[tuple[int, Proposals]], *, stamp: str) -> None:
        """Write the persons of a finished video durably.

        Args:
            video_id: The video.
            clock: What the moments count.
            moments: Each moment's tick with its persons, ascending.
            stamp: The video's stamp before it was read.
        """
        text = io.StringIO()
        text.write(f"{_MADE_FROM}{stamp}\n")
        rows = csv.writer(text, lineterminator="\n")
        for tick, persons in moments:
            for box, score in zip(persons.boxes.tolist(), persons.scores.tolist(), strict=True):
                rows.writerow([video_id, clock.text(tick), *(f"{value:.6f}" for value in box), "", f"{score:.6f}"])
        write_durably(self.path(video_id), text.getvalue().encode())
        self._failure(video_id).unlink(missing_ok=True)

    def fail(self, video_id: str, reason: str) -> None:
        """Note that a video cannot be made."""
        write_durably(self._failure(video_id), one_line(reason).encode())

    def failures(self, video_ids: Sequence[str]) -> dict[str, str]:
        """Return the reasons why videos could not be made, of those for which that was noted."""
        noted = {name: self._failure(name) for name in video_ids}
        return {name: path.read_text(encoding="utf-8") for name, path in noted.items() if path.is_file()}

    def merge(self, video_ids: Sequence[str]) -> int:
        """Write the csv of all finished videos durably, and return its number of rows.

        Args:
            video_ids: All videos; their order decides the csv's.
        """
        rows = 0
        with durable_file(self.out) as merged:
            for name in filter(self.is_finished, video_ids):
                with self.path(name).open("rb") as part:
                    begin = len(part.readline())
                    rows += sum(1 for _ in part)
                    part.seek(begin)
                    shutil.copyfileobj(part, merged)
        return rows

    def _failure(self, video_id: str) -> Path:
        return self._file(video_id, ".failed")

    def _file(self, video_id: str, ending: str) -> Path:
        return self.folder / (file_name(video_id).removesuffix(SUFFIX) + ending)
