"""The generated data sets that the quickstart knows: what each adds to the chain of its stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

POOLED = {"max": ["fbo=max", "fbo.mask_padding=true"], "avg": ["fbo=avg", "fbo.mask_padding=true"]}
FBOS: Mapping[str, Sequence[str]] = {"nl": ["fbo=nl_small"], **POOLED}


@dataclass(frozen=True, kw_only=True)
class MiniData:
    """A generated data set.

    Args:
        name: Its module, `lfb_lightning.<name>`, its option of `data`, and its presets `<name>` and `<name>_lfb`.
        title: Its name for people.
        measure: What the figures are.
        figures: The figures of a model in `summary.json`, and where each stands in the `metrics.json` of a test.
        shown: What people call the figures.
        whole: What a perfect figure is in `metrics.json`: 1, or 100 where it is a percentage.
        axis: What the chart's figures are.
        video: The video of the split val that `lfb-predict` shows.
        models: What is trained on the baseline's banks: its overrides by its name. The first is shown by `lfb-predict`.
        baseline: Overrides of the baseline beside `fbo=none`.
        more_banks: Gives the commands that write further banks once those of the baseline are there, by the name of the
            stage: the file that each makes, then module and arguments. It is given the folder of the data and of the banks.
        predict: Gives what `lfb-predict` must be told of the data, given their folder.
        val_option: What the generator calls the number of videos of the split val.
    """

    name: str
    title: str
    measure: str
    figures: Mapping[str, Sequence[str]]
    shown: Mapping[str, str]
    video: str
    axis: str = "mAP"
    whole: float = 1.0
    models: Mapping[str, Sequence[str]] = field(default_factory=lambda: FBOS)
    baseline: Sequence[str] = ()
    more_banks: Callable[[Path, Path], Mapping[str, tuple[Path, Sequence[str]]]] = lambda data, banks: {}
    predict: Callable[[Path], Sequence[str]] = lambda data: []
    val_option: str = "--num-val"


def _annotated_persons(data: Path) -> list[str]:
    proposals = f"persons.proposals={data / 'mini_ava_val_proposals.csv'}"
    return ["persons=boxes", proposals, "persons.origin_second=900", "persons.threshold=0.9"]


def _objects(data: Path, banks: Path) -> dict[str, tuple[Path, list[str]]]:
    """Give the commands that describe mini-EPIC's objects by the backbone of the baseline."""
    out = banks.parent
    extract = ["lfb_lightning.cli", "extract", "experiment=mini_epic", f"paths.data_dir={data}", "objects=checkpoint"]
    extract += [
        f"objects.boxes.file={data}/mini_epic_{{split}}_objects.csv",
        "objects.boxes.per_moment=4",
        "objects.output_size=4",
    ]
    extract += [
        f"ckpt_path={out / 'train' / 'baseline' / 'checkpoints' / 'best.ckpt'}",
        f"bank.dir={banks / 'objects'}",
    ]
    return {
        f"objects {split}": (
            banks / "objects" / split / "manifest.json",
            [*extract, f"split={split}", f"hydra.run.dir={out / 'objects' / split}"],
        )
        for split in ("train", "val")
    }


def _baseline_alone(data: Path) -> list[str]:
    """Show the baseline: `lfb-predict` makes a bank of the regions that it scores, here of clips and not of objects."""
    checkpoint = data.parent / "train" / "baseline" / "checkpoints" / "best.ckpt"
    return [f"ckpt_path={checkpoint}", "compare=null", "persons=none"]


_GROUPS = {"mAP": ["mAP"], "short_term_mAP": ["groups", "short_term"], "long_term_mAP": ["groups", "long_term"]}
_SHOWN = {"mAP": "mAP", "short_term_mAP": "short-term classes", "long_term_mAP": "long-term classes"}
DATA: Mapping[str, MiniData] = {
    one.name: one
    for one in (
        MiniData(
            name="mini_ava",
            title="mini-AVA",
            measure="frame-mAP@0.5 on val",
            figures=_GROUPS,
            shown=_SHOWN,
            video="mini-val-000.mp4",
            predict=_annotated_persons,
        ),
        MiniData(
            name="mini_charades",
            title="mini-Charades",
            measure="mAP over the test videos",
            figures=_GROUPS,
            shown=_SHOWN,
            video="MCTE001.mp4",
            predict=lambda data: ["persons=none"],
            val_option="--num-test",
        ),
        MiniData(
            name="mini_epic",
            title="mini-EPIC",
            measure="top-1 accuracy over the validation segments",
            figures={head: [f"all_{head}_accuracy_at_1"] for head in ("verb", "noun", "action")},
            shown={head: f"{head}s" for head in ("verb", "noun", "action")},
            axis="top-1 accuracy",
            whole=100.0,
            models={"nl": ["fbo=nl_small", "fbo.dropout=0"], **POOLED},
            video="P11_101.mp4",
            more_banks=_objects,
            predict=_baseline_alone,
        ),
    )
}
