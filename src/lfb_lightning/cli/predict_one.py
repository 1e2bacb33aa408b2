"""What `lfb-predict` needs for a video: the predictor, what keeps the bank, and the folder of results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from lfb_lightning.bank import BankWriter
from lfb_lightning.cli.building import build, required_checkpoint
from lfb_lightning.cli.predict_videos import typed_path, video_id
from lfb_lightning.cli.sections import plain
from lfb_lightning.cli.trust import trusted_packages
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.fetching import local_copy
from lfb_lightning.files.objects.url import Place
from lfb_lightning.files.run_lock import RunLock
from lfb_lightning.prediction import LFBPredictor, Prediction
from lfb_lightning.prediction.causal import causal
from lfb_lightning.prediction.keeping import bank_writer, keep_video
from lfb_lightning.prediction.outputs import Outputs
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
            video: The video; one in an object store is fetched for as long as it takes.
            folder: The folder of its results.
            seen: Called with the number of moments that are seen, and of all.
            drawn: Called with the seconds that are drawn, and with all.

        Returns:
            What is there now, for the user.

        Raises:
            InputError: The video cannot be read, or the results cannot be written.
        """
        with local_copy(video, "video") as local:
            return self._predict(video, local, folder, seen, drawn)

    def _predict(
        self,
        typed: Place,
        video: Path,
        folder: Path,
        seen: Callable[[int, int], None],
        drawn: Callable[[float, float], None],
    ) -> str:
        name = video_id(video, folder)
        self.outputs.refuse_folder(folder, video)
        lock = RunLock(folder, key="out")
        try:
            journal = self.predictor.journal(video, folder / _JOURNAL)
            made_by = {**journal.made_by, **self.predictor.describe()}
            if self.outputs.is_complete(folder, made_by) and (self.keeper is None or self.keeper.is_finished(name)):
                return f"{folder}: was there"
            prediction = self.predictor(video, video_id=name, journal=journal, progress=seen)
            seconds = max(1.0, prediction.properties.seconds)
            drawn(0.0, seconds)
            files, problems = self.outputs.write(prediction, folder, progress=lambda second: drawn(second, seconds))
            drawn(seconds, seconds)
            if self.keeper is not None:
                look, threshold = self.predictor.bank_look, self.predictor.bank_threshold
                keep_video(self.keeper, name, journal.stored(), look=look, bank_threshold=threshold)
            self.outputs.finish(folder, made_by, _summary(prediction))
            journal.remove()
            return _told(typed, prediction, files, problems)
        finally:
            lock.release()


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


def _summary(prediction: Prediction) -> dict[str, Any]:
    return {
        "video": str(prediction.video.resolve()),
        "moments": len(prediction.ticks),
        "persons": len(prediction.moment),
        "tracks": len(set(prediction.tracks.tolist())),
        "model": prediction.model,
    }


def _told(video: Place, prediction: Prediction, files: list[Path], problems: list[str]) -> str:
    summary = _summary(prediction)
    found = f"{summary['persons']} persons in {summary['tracks']} tracks"
    lines = [
        f"{video}: {summary['moments']} moments, {'whole clips' if prediction.whole_clips else found}",
        *([f"  {_NOBODY}"] if summary["persons"] == 0 else []),
        *(f"  missing: {problem}" for problem in problems),
        *(f"  {path}" for path in files),
    ]
    return "\n".join(lines)
