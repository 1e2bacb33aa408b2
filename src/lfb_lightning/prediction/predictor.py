"""Runs a trained detector on a video: people, tracks, the video's bank, and the actions that its windows tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lfb_lightning.persons import BoxesBySecond, PersonSource, TorchvisionPersons, WholeFrame
from lfb_lightning.persons.torch_device import chosen_device
from lfb_lightning.prediction.gathering import counted, gather
from lfb_lightning.prediction.journal import Journal
from lfb_lightning.prediction.looks import Looks
from lfb_lightning.prediction.moments import Moments
from lfb_lightning.prediction.observed import Observed
from lfb_lightning.prediction.observing import observe
from lfb_lightning.prediction.prediction import Prediction
from lfb_lightning.prediction.scoring import Scorer
from lfb_lightning.prediction.tracks import Tracking, replay
from lfb_lightning.prediction.trained import Trained, load_trained, memory_of, refuse_incomparable
from lfb_lightning.video import VideoFile
from lfb_lightning.video.protocol import VideoProperties

_STRETCH = 64  # moments that are observed before the ones before them are scored, at least


class LFBPredictor:
    """Tells what the persons of a video do, second by second.

    Args:
        trained: The detector that scores.
        bank: The detector whose backbone makes the bank; None: the scoring one's own.
        compare: A detector whose scores are given beside; None: none.
        persons: Finds the persons; None: torchvision's detector, and for a detector of whole clips the whole frame.
        device: Where to compute; None: a GPU if there is one.
        batch_size: Moments that are computed together.
        bank_threshold: Least confidence of the persons in the bank; 0: all that are found.
        attention: Rows of the bank that are listed for each decision; 0: none.
        detection_rate: How often per second persons are looked for; None: at the scored moments only.
        linker: "own" links persons by how far they move; "trackers" by that package, from 5 detections per second on.

    Attributes:
        memory: The detector whose backbone makes the bank.
        notes: Lines that whoever reads the results should know.
        looks: What looks at the clips, each backbone once.
        scorers: What scores, and behind it what it is compared with, if anything.

    Raises:
        InputError: The detectors do not fit each other.
    """

    def __init__(
        self,
        trained: Trained,
        *,
        bank: Trained | None = None,
        compare: Trained | None = None,
        persons: PersonSource | None = None,
        device: str | None = None,
        batch_size: int = 8,
        bank_threshold: float = 0.0,
        attention: int = 20,
        detection_rate: float | int | None = None,
        linker: str = "own",
    ) -> None:
        self.device = chosen_device(device, key="device")
        self.trained = trained
        self.compare = compare
        self.memory, _ = memory_of(trained, bank)
        self.persons = persons
        self.batch_size = batch_size
        self.bank_threshold = bank_threshold
        self.tracking = Tracking(linker, detection_rate, trained.recipe.moments_per_second)
        self.moments = Moments(trained.recipe.clock, trained.recipe.step, self.tracking.per_tick)
        self.notes: list[str] = []
        self._looks = Looks(self.device)
        self.looks = self._looks.each
        self.scorers = self._scorers = [
            self._scorer(one, bank, bank_threshold, listed)
            for one, listed in ((trained, attention), (compare, 0))
            if one is not None
        ]
        self._stretch = max(_STRETCH, *(scorer.recipe.reach for scorer in self._scorers))
        if compare is not None:
            refuse_incomparable(trained, compare)

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        *,
        bank_checkpoint: str | Path | None = None,
        compare: str | Path | None = None,
        labels: str | Path | None = None,
        trusted_packages: Sequence[str] = (),
        **settings: Any,
    ) -> LFBPredictor:
        """Make a predictor of checkpoints.

        Args:
            path: The detector that scores: what `lfb-train` and `lfb-import` write, or a file that `lfb-import` reads.
            bank_checkpoint: The detector that its bank was extracted with, where its backbone is another.
            compare: A detector whose scores are given beside, such as the baseline.
            labels: A label map to take the actions' names from; None: the checkpoint's.
            trusted_packages: Packages whose classes the checkpoints may name.
            **settings: Further arguments of the class.

        Raises:
            InputError: A file cannot be loaded, or the detectors do not fit each other.
        """
        trained, bank, compared = (
            None if one is None else load_trained(one, labels=labels, trusted_packages=trusted_packages)
            for one in (path, bank_checkpoint, compare)
        )
        assert trained is not None
        return cls(trained, bank=bank, compare=compared, **settings)

    def __call__(
        self,
        video: str | Path,
        boxes: Mapping[Any, Any] | None = None,
        *,
        video_id: str | None = None,
        journal: Journal | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Prediction:
        """Predict the actions in a video.

        Args:
            video: A video file.
            boxes: Normalized xyxy boxes of the persons `[P, 4]` by second, lists or arrays; None: they are looked for.
            video_id: How tables call the video; None: the file's name without its ending.
            journal: Keeps what was observed, so that an interrupted call goes on when it is repeated; see `journal`.
            progress: Called with the number of moments that are done, and of all.

        Raises:
            InputError: The video cannot be read, or the persons cannot be found; the message names the file.
        """
        if boxes is not None and journal is not None:
            raise ValueError("a journal is of the persons that are looked for: give boxes or a journal")
        path = Path(video)
        properties = VideoFile(path).properties()
        ticks = self.moments.ticks(properties.seconds)
        name = path.stem if video_id is None else video_id
        persons = self.person_source() if boxes is None else BoxesBySecond(boxes)
        stretches = self._observe(path, name, properties, ticks, persons, journal)
        window = self.trained.recipe.window
        return gather(
            counted(stretches, len(ticks), progress),
            self._scorers,
            video=path,
            video_id=name,
            properties=properties,
            model=self.trained.name,
            window=(float(window.before), float(window.after)) if self.trained.detector.reads_bank else None,
            compared=None if self.compare is None else self.compare.name,
        )

    def journal(self, video: str | Path, folder: str | Path, *, version: tuple[object, ...] | None = None) -> Journal:
        """Make the journal of a video in which its persons are looked for.

        Args:
            video: A video file, or the URL that the file is a copy of.
            folder: Where it is kept until the caller removes it.
            version: Of a URL: what changes when the object does. The object is not read.

        Raises:
            InputError: The video cannot be read, or the persons' detector cannot be loaded.
        """
        known_as, count = ((str(video), *version), None) if version is not None else self._file(Path(video))
        made_by = {
            "video": known_as,
            "looks": self._looks.digests,
            "persons": self.person_source().describe(),
            "moments": [count, self._stretch, str(self.moments)],
            "tracks": self.tracking.describe(),
        }
        return Journal(Path(folder), made_by)

    def _file(self, path: Path) -> tuple[tuple[object, ...], int]:
        """Give what changes when a file does, and the number of its moments."""
        count, status = len(self.moments.ticks(VideoFile(path).properties().seconds)), path.stat()
        return (str(path.resolve()), status.st_size, status.st_mtime_ns), count

    def describe(self) -> dict[str, Any]:
        """State what decides scores beside what a journal says: heads, windows, the bank's threshold."""
        return {
            "detectors": [scorer.detector.digest() for scorer in self._scorers],
            "recipes": [str(scorer.recipe) for scorer in self._scorers],
            "bank": [[scorer.bank, scorer.bank_threshold, scorer.listed] for scorer in self._scorers],
        }

    @property
    def bank_look(self) -> int:
        """Which of an observation's features are the bank's."""
        return self._scorers[0].bank

    def _scorer(self, trained: Trained, bank: Trained | None, bank_threshold: float, listed: int) -> Scorer:
        memory, note = memory_of(trained, bank)
        self.notes += [note] if note is not None and note not in self.notes else []
        return Scorer(
            detector=trained.detector.to(self.device),
            recipe=trained.recipe,
            own=self._looks.number_of(trained.detector, trained.recipe.clips),
            bank=self._looks.number_of(memory.detector, memory.recipe.clips),
            device=self.device,
            batch_size=self.batch_size,
            bank_threshold=bank_threshold,
            listed=listed,
        )

    def _observe(
        self,
        path: Path,
        video_id: str,
        properties: VideoProperties,
        ticks: Sequence[int],
        persons: PersonSource,
        journal: Journal | None,
    ) -> Iterator[Observed]:
        """Give the stretches of a video: those that the journal has, then those that are observed now."""
        linker = self.tracking.begin(properties.width / properties.height)

        def observe_rest(done: int) -> Iterator[Observed]:
            return observe(
                VideoFile(path),
                ticks[done:],
                video_id=video_id,
                moments=self.moments,
                end=properties.seconds,
                looks=self._looks.each,
                persons=persons,
                linker=linker,
                stretch=self._stretch,
                batch_size=self.batch_size,
                device=self.device,
            )

        if journal is None:
            return observe_rest(0)
        return journal.complete(
            observe_rest, replay=lambda kept: replay(linker, kept, self.moments, properties.seconds)
        )

    def person_source(self) -> PersonSource:
        """Give what finds the persons."""
        if self.persons is None:
            whole = self.trained.whole_clips
            self.persons = WholeFrame() if whole else TorchvisionPersons(device=str(self.device))
        return self.persons
