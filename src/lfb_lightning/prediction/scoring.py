"""Scores the persons of a stretch of a video, with the memory that the stretches around it make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int32, Int64
from torch import Tensor

from lfb_lightning.bank import BankRows, FeatureBank
from lfb_lightning.bank.window import window_generator
from lfb_lightning.errors import InputError
from lfb_lightning.models import InferenceDetector
from lfb_lightning.persons.linking import UNKNOWN, same_tracks
from lfb_lightning.prediction.observed import Observed, joined
from lfb_lightning.prediction.recipe import Recipe
from lfb_lightning.structures import Keyframe


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """What N persons' decisions looked at: of each layer, the K rows of the video with the largest weights.

    Args:
        rows: Row of the video, -1 where fewer than K had weight.
        weights: Their weights, largest first.
        empty: Weight of the window's empty slots.
        rest: Weight of the filled slots that are not listed.
    """

    rows: Int32[np.ndarray, "N L K"]
    weights: Float32[np.ndarray, "N L K"]
    empty: Float32[np.ndarray, "N L"]
    rest: Float32[np.ndarray, "N L"]


class Scored(NamedTuple):
    """Scores of N persons by column, and what they looked at, if that was asked for and there is anything."""

    scores: Float32[np.ndarray, "N A"]
    attention: Attention | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """A detector on stored features.

    Args:
        detector: What scores.
        recipe: How it was trained.
        own: Which of the looks are its own features.
        bank: Which of them are its bank's.
        device: Where to compute.
        batch_size: Moments that are computed together.
        bank_threshold: Least confidence of the persons in the bank.
        listed: Rows that an attention lists; 0: no attention.
    """

    detector: InferenceDetector
    recipe: Recipe
    own: int
    bank: int
    device: torch.device
    batch_size: int
    bank_threshold: float = 0.0
    listed: int = 0

    def score(
        self, here: Observed, before: Sequence[Observed], after: Sequence[Observed], *, first_row: int, video_id: str
    ) -> Scored:
        """Score the persons of a stretch.

        Args:
            here: The stretch.
            before: What precedes it, as far as its windows reach.
            after: What follows it, likewise.
            first_row: Row of the video that the first person of `before`, or else of `here`, is.
            video_id: The video, of which a random choice of rows depends.
        """
        around = joined([*before, here, *after])
        bank, kept = self._memory(around, video_id)
        scores, attentions = [], []
        for begin in range(0, len(here.ticks), self.batch_size):
            moments = np.arange(begin, min(begin + self.batch_size, len(here.ticks)))
            chosen = np.flatnonzero((here.moment >= moments[0]) & (here.moment <= moments[-1]))
            if len(chosen) == 0:
                continue
            clip_of_row = torch.from_numpy(here.moment[chosen] - begin)
            features = here.features[self.own][torch.from_numpy(chosen)]
            keyframes = [Keyframe(video_id, int(tick)) for tick in here.ticks[moments]]
            tracks = (here.tracks[chosen], around.tracks[kept])
            found, attention = self._classify(features, keyframes, clip_of_row, bank, tracks)
            scores.append(self._final(found, here.scores[chosen]))
            if attention is not None:
                weights, empty, rows = attention
                attentions.append(_listed(weights, empty, rows[clip_of_row.numpy()], kept + first_row, self.listed))
        if not all(np.isfinite(part).all() for part in scores):
            raise InputError(
                f"video {video_id}: the detector's scores are not finite: its weights, or the bank's features in "
                f"{self.recipe.precision}, are broken; check the checkpoint."
            )
        if not scores:
            return Scored(np.zeros((0, self.detector.num_classes), np.float32), None)
        return Scored(np.concatenate(scores), joined_attention(attentions))

    def _final(self, scores: np.ndarray, confidences: np.ndarray) -> np.ndarray:
        """Make of the actions' scores what the detector was trained to give."""
        if not self.recipe.times_person_score:
            return scores
        weighted: np.ndarray = scores * confidences[:, None].astype(np.float32)
        return weighted

    @torch.inference_mode()
    def _classify(
        self,
        features: Tensor,
        keyframes: Sequence[Keyframe],
        clip_of_row: Tensor,
        bank: FeatureBank | None,
        tracks: tuple[Int64[np.ndarray, " R"], Int64[np.ndarray, " B"]],
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray] | None]:
        short_term, on_device = features.to(self.device), clip_of_row.to(self.device)
        if bank is None:
            logits = self.detector.classify(short_term, None, on_device)
            return self.recipe.loss.scores(logits).float().cpu().numpy(), None
        window = bank.windows(keyframes, self.recipe.window, self._generators(keyframes))
        attends = bool(self.listed and self.detector.attends)
        identity = bool(getattr(self.detector, "reads_identity", False))  # somebody's own detector may not know of it
        if attends or identity:
            rows = bank.window_rows(keyframes, self.recipe.window, self._generators(keyframes))
        if identity:
            of_persons, of_rows = tracks
            of_slots = np.append(of_rows, UNKNOWN)[rows]  # an empty slot's row is -1: the last
            same = same_tracks(of_slots, of_persons, clip_of_row.numpy())
            window = replace(window, same_person=torch.from_numpy(same))
        if not attends:
            logits = self.detector.classify(short_term, window.to(self.device), on_device)
            return self.recipe.loss.scores(logits).float().cpu().numpy(), None
        logits, attention = self.detector.classify(short_term, window.to(self.device), on_device, return_attention=True)
        parts = (attention.weights.float().cpu().numpy(), attention.empty.float().cpu().numpy(), rows)
        return self.recipe.loss.scores(logits).float().cpu().numpy(), parts

    def _generators(self, keyframes: Sequence[Keyframe]) -> list[np.random.Generator] | None:
        if self.recipe.window.selection != "random":
            return None
        return [window_generator(self.recipe.seed, 0, keyframe) for keyframe in keyframes]

    def _memory(self, around: Observed, video_id: str) -> tuple[FeatureBank | None, Int64[np.ndarray, " B"]]:
        """Make the bank of a stretch and its surroundings; also give the rows of `around` that are in it."""
        if not self.detector.reads_bank:
            return None, np.zeros(0, np.int64)
        kept = np.flatnonzero(around.scores >= self.bank_threshold)
        rows = BankRows(
            torch.from_numpy(around.row_ticks[kept]),
            torch.from_numpy(around.boxes[kept]),
            torch.from_numpy(around.scores[kept]),
            around.features[self.bank][torch.from_numpy(kept)],
        )
        bank = FeatureBank.from_rows(
            {video_id: rows},
            channels=self.detector.bank_channels,
            ticks_per_second=str(self.recipe.clock.ticks_per_second),
            precision=self.recipe.precision,
        )
        return bank, kept


def _listed(
    weights: Float[np.ndarray, "R L S"],
    empty: Float[np.ndarray, "R L"],
    rows: Int64[np.ndarray, "R S"],
    row_of_video: Int64[np.ndarray, " B"],
    count: int,
) -> Attention:
    """List the largest weights, and sum up the others."""
    count = min(count, weights.shape[2])
    order = np.argsort(-weights, axis=2, kind="stable")[:, :, :count]
    largest = np.take_along_axis(weights, order, axis=2)
    slots = np.take_along_axis(np.broadcast_to(rows[:, None, :], weights.shape), order, axis=2)
    named = row_of_video[np.maximum(slots, 0)] if len(row_of_video) else np.zeros_like(slots)
    return Attention(
        rows=np.where((slots >= 0) & (largest > 0), named, -1).astype(np.int32),
        weights=largest.astype(np.float32),
        empty=empty.astype(np.float32),
        rest=np.maximum(weights.sum(axis=2) - largest.sum(axis=2), 0).astype(np.float32),
    )


def joined_attention(parts: Sequence[Attention]) -> Attention | None:
    """Join the attention of persons who follow each other; None of nothing."""
    if not parts:
        return None
    names = ("rows", "weights", "empty", "rest")
    return Attention(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
