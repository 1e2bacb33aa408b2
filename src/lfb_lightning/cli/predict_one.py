"""What `lfb-predict` needs for a video: the predictor, what keeps the bank, and the folder of results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from lfb_lightning.bank import BankWriter
from lfb_lightning.cli.building import build, required_checkpoint
from lfb_lightning.cli.predict_videos import typed_path, video_id
from lfb_lightning.cli.sections import plain
from lfb_lightning.cli.trust import trusted_packages
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.fetching import local_copy, version_of
from lfb_lightning.files.objects.store import Stated
from lfb_lightning.files.objects.url import Place, Url
from lfb_lightning.files.run_lock import RunLock
from lfb_lightning.prediction import LFBPredictor, Prediction
from lfb_lightning.prediction.causal import causal
from lfb_lightning.prediction.journal import Journal
from lfb_lightning.prediction.keeping import bank_writer, keep_video
from lfb_lightning.prediction.outputs import Outputs, full_name
from lfb_lightning.prediction.trained import Trained, load_trained, refuse_other_banks

_JOURNAL = ".unfinished"
_NOBODY = (
    "nobody was found: try a lower persons.threshold; with persons=boxes, persons.origin_second is the file's timestamp of "
    "the first frame (900 for AVA's)."
)
_WORDLESS: Callable[..., None] = lambda *_: None  # noqa: E731


@dataclass(frozen=True, slots=True)
class VideoJob:
    """Predicts one video after another, each into its folder.

    Args:
        predictor: What predicts.
        outputs: What is written.
        keeper: What keeps the bank; None: it is not kept.
    """

    predictor: LFBPredictor
    outputs: Outputs
    keeper: BankWriter | None

    def __call__(
        self,
        video: Place,
        folder: Path,
        *,
        seen: Callable[[int, int], None] = _WORDLESS,
        drawn: Callable[[float, float], None] = _WORDLESS,
    ) -> str:
        """Predict a video; one whose results are complete is left as it is.

        Args:
            video: The video; one in an object store is fetched for as long as it takes, unless its results are complete.
            folder: The folder of its results.
            seen: Called with the number of moments that are seen, and of all.
            drawn: Called with the seconds that are drawn, and with all.

        Returns:
            What is there now, for the user.

        Raises:
            InputError: The video cannot be read, or the results cannot be written.
        """
        name = video_id(video, folder)
        version = version_of(video, "video") if isinstance(video, Url) else None
        self.outputs.refuse_folder(folder, video)
        lock = RunLock(folder, key="out")
        try:
            journal = self.predictor.journal(str(video), folder / _JOURNAL, version=version)
            made_by = {**journal.made_by, **self.predictor.describe()}
            if self.outputs.is_complete(folder, made_by) and (self.keeper is None or self.keeper.is_finished(name)):
                return f"{folder}: was there"
            with _named_as_typed(video, version) as file:
                prediction = self.predictor(file, video_id=name, journal=journal, progress=seen)
                prediction = replace(prediction, url=str(video) if isinstance(video, Url) else None)
                return self._write(video, prediction, folder, journal, made_by, drawn)
        finally:
            lock.release()

    def _write(
        self,
        video: Place,
        prediction: Prediction,
        folder: Path,
        journal: Journal,
        made_by: dict[str, Any],
        drawn: Callable[[float, float], None],
    ) -> str:
        seconds = max(1.0, prediction.properties.seconds)
        drawn(0.0, seconds)
        files, problems = self.outputs.write(prediction, folder, progress=lambda second: drawn(second, seconds))
        drawn(seconds, seconds)
        if self.keeper is not None:
            look, threshold = self.predictor.bank_look, self.predictor.bank_threshold
            keep_video(self.keeper, prediction.video_id, journal.stored(), look=look, bank_threshold=threshold)
        summary = _summary(video, prediction)
        self.outputs.finish(folder, made_by, summary)
        journal.remove()
        problems = [line.replace(str(prediction.video), str(video)) for line in problems]
        return _told(video, summary, prediction.whole_clips, files, problems)


@contextmanager
def _named_as_typed(video: Place, version: Stated | None) -> Iterator[Path]:
    """Give the video's file, for as long as it takes; what is wrong with a copy of an object is said of its URL."""
    file: Path | None = None
    try:
        with local_copy(video, "video", version) as file:
            yield file
    except InputError as error:
        if file is None:
            raise
        raise InputError(str(error).replace(str(file), str(video))) from error


def make_job(cfg: DictConfig, *, persons_chosen: bool) -> VideoJob:
    """Load all that predicts videos, as configured.

    Args:
        cfg: The composed configuration.
        persons_chosen: As `make_predictor` has it.
    """
    predictor = make_predictor(cfg, persons_chosen=persons_chosen)
    outputs = Outputs(
        overlay=cfg.overlay, page=cfg.page, threshold=float(cfg.threshold), least_score=float(cfg.least_score)
    )
    return VideoJob(predictor, outputs, make_keeper(cfg, predictor))


def make_predictor(cfg: DictConfig, *, persons_chosen: bool) -> LFBPredictor:
    """Load what predicts videos, as configured.

    Args:
        cfg: The composed configuration.
        persons_chosen: Whether the user says who finds the persons, who are not looked for otherwise where a detector
            scores whole clips.
    """
    trusted = trusted_packages(cfg)
    clips = plain(cfg.clips)

    def loaded(path: str | Path | None) -> Trained | None:
        if path is None:
            return None
        trained = load_trained(path, labels=cfg.labels, clips=clips, trusted_packages=trusted)
        return causal(trained) if cfg.window == "causal" and cfg.source is None else trained

    trained = loaded(required_checkpoint(cfg))
    assert trained is not None
    refuse_other_banks(trained)  # before a detector of persons is fetched
    return LFBPredictor(
        trained,
        bank=loaded(cfg.bank_ckpt_path),
        compare=loaded(cfg.compare),
        persons=None if trained.whole_clips and not persons_chosen else build(cfg.persons),
        device=cfg.device,
        batch_size=cfg.batch_size,
        bank_threshold=_bank_threshold(cfg),
        attention=cfg.attention,
        detection_rate=cfg.detection_rate,
        linker=cfg.linker,
    )


def make_keeper(cfg: DictConfig, predictor: LFBPredictor) -> BankWriter | None:
    """Make what keeps the videos' bank; None where it is not kept."""
    if cfg.bank.dir is None:
        return None
    return bank_writer(
        typed_path(str(cfg.bank.dir), "bank.dir"),
        predictor.memory,
        clock=predictor.trained.recipe.clock,
        precision=predictor.trained.recipe.precision,
        bank_threshold=_bank_threshold(cfg),
    )


def _bank_threshold(cfg: DictConfig) -> float:
    unknown = set(cfg.bank) - {"dir", "threshold"}
    if unknown:
        raise InputError(f"bank.{min(map(str, unknown))}: unknown key, expected bank.dir or bank.threshold.")
    value = cfg.bank.threshold
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"bank.threshold is {value}, expected a number of 0 to 1.")
    return float(value)


def _summary(video: Place, prediction: Prediction) -> dict[str, Any]:
    return {
        "video": full_name(video),
        "moments": len(prediction.ticks),
        "persons": len(prediction.moment),
        "tracks": len(set(prediction.tracks.tolist())),
        "model": prediction.model,
    }


def _told(video: Place, summary: dict[str, Any], whole_clips: bool, files: list[Path], problems: list[str]) -> str:
    found = f"{summary['persons']} persons in {summary['tracks']} tracks"
    lines = [
        f"{video}: {summary['moments']} moments, {'whole clips' if whole_clips else found}",
        *([f"  {_NOBODY}"] if summary["persons"] == 0 else []),
        *(f"  missing: {problem}" for problem in problems),
        *(f"  {path}" for path in files),
    ]
    return "\n".join(lines)
