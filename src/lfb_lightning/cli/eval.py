"""`lfb-eval`: frame-mAP of any result csv."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from omegaconf import DictConfig

from lfb_lightning.ava.evaluation_csv import read_evaluation_csv
from lfb_lightning.ava.label_map import read_label_map
from lfb_lightning.cli.app import launch
from lfb_lightning.durable import write_json
from lfb_lightning.errors import InputError
from lfb_lightning.metrics import Protocol
from lfb_lightning.metrics.csv_evaluation import evaluate_csv
from lfb_lightning.metrics.description import describe_result

AVA_GROUPS = {
    "person_movement": range(1, 15),
    "object_manipulation": range(15, 64),
    "person_interaction": range(64, 81),
}


def evaluate_files(cfg: DictConfig, run_dir: Path) -> int:
    """Evaluate as configured; returns the exit status."""
    for key in ("detections", "annotations", "label_map"):
        if cfg[key] is None:
            raise InputError(f"{key} is not set: lfb-eval detections=<csv> annotations=<csv> label_map=<pbtxt>.")
    if cfg.protocol not in get_args(Protocol):
        raise InputError(f"protocol is {cfg.protocol!r}, expected one of {', '.join(get_args(Protocol))}.")
    label_map = read_label_map(cfg.label_map)
    result = evaluate_csv(
        detections=read_evaluation_csv(cfg.detections),
        annotations=read_evaluation_csv(cfg.annotations),
        action_ids=label_map.ids,
        excluded=cfg.excluded,
        protocol=cfg.protocol,
    )
    groups = {name: list(ids) for name, ids in AVA_GROUPS.items() if set(ids) & set(label_map.ids)}
    content = describe_result(result, groups, label_map.names) | {"protocol": cfg.protocol}
    for action_id in label_map.ids:
        ap, boxes = result.per_class[action_id], result.num_ground_truth[action_id]
        print(f"{action_id:4} {label_map.names[action_id]:44} AP {ap:.6f}  {boxes} boxes")
    for name in groups:
        print(f"{name:49} mAP {content['groups'][name]:.6f}")
    print(f"{'mAP@0.5, ' + cfg.protocol:49} mAP {result.mean:.6f}")
    if cfg.out is not None:
        Path(cfg.out).parent.mkdir(parents=True, exist_ok=True)
        write_json(Path(cfg.out), content)
        print(f"wrote {cfg.out}")
    return 0


def main() -> None:
    """Console entry."""
    launch("eval", evaluate_files)


if __name__ == "__main__":
    main()
