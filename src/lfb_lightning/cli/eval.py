"""`lfb-eval`: the figures of any result file, as the official program of its data set computes them.

Here AVA's: frame mAP of a csv, precision-recall curves, a comparison with another csv. The other protocols have files of
their own, `eval_videos.py` and `eval_segments.py`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from lfb_lightning.ava.action_groups import ava_groups
from lfb_lightning.ava.evaluation_csv import EvaluationTable, read_evaluation_csv
from lfb_lightning.ava.label_map import LabelMap, read_label_map
from lfb_lightning.cli.app import launch
from lfb_lightning.cli.eval_segments import evaluate_segments
from lfb_lightning.cli.eval_videos import evaluate_videos
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_json
from lfb_lightning.metrics.comparison import compare
from lfb_lightning.metrics.csv_evaluation import evaluate_csv, number_frames, refuse_incomparable
from lfb_lightning.metrics.description import describe_result
from lfb_lightning.metrics.frame_ap import PROTOCOLS, FrameAP
from lfb_lightning.metrics.ranking import RankedClass, rank

_OF_VIDEOS, _OF_SEGMENTS = ("charades", "charades_localize"), ("epic100", "epic55")
_KEYS_OF_AVA = ("excluded", "curves", "compare")
_KEYS_OF_SEGMENTS = ("nouns", "tail_verbs", "tail_nouns", "unseen", "training", "submission")


def evaluate_files(cfg: DictConfig, run_dir: Path) -> int:
    """Evaluate the configured files, print the table and write what was asked for; returns the exit status 0."""
    allowed = [*PROTOCOLS, *_OF_VIDEOS, *_OF_SEGMENTS]
    if cfg.protocol not in allowed:
        raise InputError(f"protocol is {cfg.protocol!r}, expected one of {', '.join(allowed)}.")
    _check_keys(cfg)
    if cfg.protocol in PROTOCOLS:
        content = _evaluate_boxes(cfg)
    elif cfg.protocol in _OF_VIDEOS:
        content = evaluate_videos(cfg, of_moments=cfg.protocol == "charades_localize")
    else:
        content = evaluate_segments(cfg)
    if cfg.out is not None:
        _make_room(cfg.out)
        write_json(Path(cfg.out), content)
        print(f"wrote {cfg.out}")
    return 0


def _check_keys(cfg: DictConfig) -> None:
    """Refuse a key that is missing, or that another protocol has: it would be left unread."""
    needs_map = cfg.protocol in PROTOCOLS
    for key in ("detections", "annotations", *(["label_map"] if needs_map else [])):
        if cfg[key] is None:
            raise InputError(
                f"{key} is not set: lfb-eval detections=<csv> annotations=<csv> label_map=<pbtxt> for AVA; for Charades and "
                "EPIC-Kitchens add protocol=charades, epic100 or epic55."
                if needs_map
                else f"{key} is not set: lfb-eval protocol={cfg.protocol} detections=<scores> annotations=<csv>."
            )
    for keys, protocols in (
        (_KEYS_OF_AVA, [*PROTOCOLS]),
        (_KEYS_OF_SEGMENTS, [*_OF_SEGMENTS]),
        (("label_map",), [*PROTOCOLS, *_OF_VIDEOS]),
    ):
        for key in keys:
            if cfg[key] is not None and cfg.protocol not in protocols:
                raise InputError(f"{key} is for protocol={' or '.join(protocols)}, and protocol is {cfg.protocol}.")


def _evaluate_boxes(cfg: DictConfig) -> dict[str, Any]:
    protocol = PROTOCOLS[cfg.protocol]
    label_map = read_label_map(cfg.label_map)
    annotations = read_evaluation_csv(cfg.annotations)
    detections = _read_detections(cfg.detections, annotations, cfg.annotations)
    result = evaluate_csv(
        detections=detections,
        annotations=annotations,
        action_ids=label_map.ids,
        excluded=cfg.excluded,
        protocol=protocol,
    )
    content = describe_result(result, ava_groups(label_map), label_map.names) | {"protocol": protocol}
    _print(result, content, label_map, protocol)
    if cfg.curves is not None or cfg.compare is not None:
        videos: dict[str, int] = {}
        ranked = _rank(cfg, detections, annotations, label_map, videos)
        if cfg.curves is not None:
            _draw_curves(cfg, ranked, result, label_map)
        if cfg.compare is not None:
            del detections
            content["comparison"] = _compare(cfg, ranked, annotations, label_map, videos)
    return content


def _read_detections(path: str, annotations: EvaluationTable, truth_path: str) -> EvaluationTable:
    detections = read_evaluation_csv(path)
    refuse_incomparable(detections, annotations, path, truth_path)
    return detections


def _rank(
    cfg: DictConfig,
    detections: EvaluationTable,
    annotations: EvaluationTable,
    label_map: LabelMap,
    videos: dict[str, int],
) -> list[RankedClass]:
    rows = number_frames(detections, annotations, cfg.excluded, videos)
    return list(rank(rows, label_map.ids, protocol=PROTOCOLS[cfg.protocol]))


def _compare(
    cfg: DictConfig,
    ranked: list[RankedClass],
    annotations: EvaluationTable,
    label_map: LabelMap,
    videos: dict[str, int],
) -> dict[str, Any]:
    other = _rank(cfg, _read_detections(cfg.compare, annotations, cfg.annotations), annotations, label_map, videos)
    found = compare(ranked, other, len(videos), resamples=cfg.resamples, seed=cfg.seed)
    is_one_video = math.isnan(found.low)
    interval = (
        "no interval, since there is one video only"
        if is_one_video
        else f"95 % interval over videos {found.low:+.6f} .. {found.high:+.6f}; better in {found.second_is_better:.1%} of "
        f"{cfg.resamples} resamples"
    )
    print(f"{cfg.compare}: mAP {found.second:.6f}, {found.difference:+.6f} against {cfg.detections}; {interval}")
    return {
        "with": str(cfg.compare),
        "mAP": found.second,
        "difference": found.difference,
        "interval_95": None if is_one_video else [found.low, found.high],
        "better_in": found.second_is_better,
        "resamples": cfg.resamples,
    }


def _draw_curves(cfg: DictConfig, ranked: list[RankedClass], result: FrameAP, label_map: LabelMap) -> None:
    from lfb_lightning.viz.pr_curves import draw_pr_curves  # importing matplotlib takes longer than the evaluation

    judged = [entry for entry in ranked if len(entry.truth_videos)]
    curves = [
        (label_map.names[entry.action_id], result.per_class[entry.action_id], *entry.curve())
        for entry in sorted(judged, key=lambda entry: -result.per_class[entry.action_id])
    ]
    _make_room(cfg.curves)
    try:
        draw_pr_curves(cfg.curves, curves, title=f"{cfg.detections}: mAP@0.5 {result.mean:.4f}")
    except ValueError as error:  # matplotlib raises it for an ending that it does not know
        raise InputError(f"curves={cfg.curves}: {error}.") from error
    print(f"wrote {cfg.curves}")


def _print(result: FrameAP, content: dict[str, Any], label_map: LabelMap, protocol: str) -> None:
    for action_id in label_map.ids:
        ap, boxes = result.per_class[action_id], result.num_ground_truth[action_id]
        print(f"{action_id:4} {label_map.names[action_id]:44} AP {ap:.6f}  {boxes} boxes")
    for name, mean in content["groups"].items():
        print(f"{name:49} mAP {mean:.6f}")
    print(f"{'mAP@0.5, ' + protocol:49} mAP {result.mean:.6f}")


def _make_room(path: str) -> None:
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: its folder cannot be made ({error.strerror}).") from error


def main() -> None:
    """Run `lfb-eval` with the arguments that the user typed."""
    launch("eval", evaluate_files)


if __name__ == "__main__":
    main()
