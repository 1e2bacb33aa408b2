"""The types of configuration keys that no target's signature states, and of those that are narrower than the signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

_Path = str | None
_Count = Annotated[int, 0]
_Positive = Annotated[int, 1]
_RUN: dict[str, Any] = {
    "paths": Mapping[str, str],
    "seed": int,
    "ckpt_path": _Path,
    "compile": bool,
    "num_threads": _Positive | None,
    "trusted_packages": Sequence[str],
}
_BANK: dict[str, Any] = {
    "folder": str,
    "folders": Sequence[str],
    "file": str,
    "to": str,
    "out": _Path,
    "ckpt_path": _Path,
    "precision": str | None,
    "split": str | None,
    "parts": _Positive | None,
    "videos": _Path,
    "shard_mb": int | float,
    "video_names": _Path,
    "ticks_per_second": int | float | str,
    "entries": Literal["persons", "clips", "objects"],
    "spacing": Sequence[int],
    "trusted_packages": Sequence[str],
}
_CONVERSION: dict[str, Any] = {  # what another tool's annotations leave open
    "fps": int | float | str | None,
    "origin_second": int | float,
    "first_frame": _Count,
    "size": str | None,
    "frame_name": str | None,
    "action_from": Sequence[str],
    "person_from": str | None,
    "label_map": _Path,
}
_ACTIONS_ON_DATA: dict[str, Any] = {
    "to": str,
    "what": Literal["annotations", "videos"],
    "split": Literal["trainval", "test"],
    "jobs": _Positive,
    "list": bool,
    "names": _Path,
    "base": str | None,
    "movies": str,
    "start": int | float,
    "length": int | float,
    "frames": _Path,
    "from": str,
    "annotations": str | Sequence[str],
    "video": str | None,
    "columns": str | Sequence[str] | None,
    **_CONVERSION,
}
_DATA: dict[str, Any] = {"paths": Mapping[str, str], "splits": Sequence[str]}

KEYS: Mapping[str, Mapping[str, Any]] = {
    "train": _RUN | {"init_from": _Path},
    "test": _RUN | {"split": str},
    "extract": _RUN | {"split": str, "shard": str | int},
    "cache": _DATA
    | {"short_side": _Positive, "quality": _Positive, "num_workers": _Count, "pack": bool, "archive_mb": _Positive},
    "check": _DATA
    | {"videos": bool, "exactness_probes": _Count, "fingerprint_probes": _Count, "channels": _Positive, "out": str},
    "detect": {
        "paths": Mapping[str, str],
        "split": str,
        "videos": _Path,
        "out": _Path,
        "detection_rate": int | float | str | None,
        "origin_second": int | float,
        "shard": str | int,
        "num_workers": _Count,
        "batch_size": _Positive,
    },
    "eval": {
        "detections": _Path,
        "annotations": _Path,
        "label_map": _Path,
        "excluded": _Path,
        "protocol": str,
        "out": _Path,
        "curves": _Path,
        "compare": _Path,
        "resamples": _Positive,
        "seed": _Count,
        "ties": str,
        "unlabeled": str | None,
        "missing": str,
        "nan": str,
        "nouns": _Path,
        "tail_verbs": _Path,
        "tail_nouns": _Path,
        "unseen": _Path,
        "classes": Mapping[str, _Positive],
        "submission": _Path,
        "prior": bool,
        "training": _Path,
    },
    "report": {
        "format": Literal["html", "rerun", "fiftyone"],
        "predictions": str | Sequence[str] | None,
        "threshold": int | float,
        "megabytes": int | float,
        "whole_videos": bool,
        "only": str | Sequence[str] | None,
        "run": str | Sequence[str] | None,
        "results": str | Sequence[str] | None,
        "truth": _Path,
        "labels": _Path,
        "excluded": _Path,
        "videos": _Path,
        "origin_second": int | float | None,
        "fps": float | None,
        "protocol": str,
        "out": _Path,
        "pictures": _Count,
        "resamples": _Positive,
        "seed": _Count,
    },
    "predict": {
        "paths": Mapping[str, str],
        "video": _Path,
        "source": _Path,
        "window": Literal["causal"] | None,
        "preview": Literal["http", "window"] | None,
        "preview_host": str,
        "preview_port": _Count,
        "live": Mapping[str, Any],
        "ckpt_path": _Path,
        "bank_ckpt_path": _Path,
        "compare": _Path,
        "labels": _Path,
        "out": _Path,
        "overlay": bool,
        "page": bool,
        "threshold": float,
        "least_score": float,
        "attention": _Count,
        "detection_rate": float | None,
        "linker": Literal["own", "trackers"],
        "bank": Mapping[str, Any],
        "clips": Mapping[str, Any],
        "device": str | None,
        "batch_size": _Positive,
        "num_threads": _Positive | None,
        "trusted_packages": Sequence[str],
    },
    "doctor": {"paths": Mapping[str, str], "json": bool, "self_test": bool},
    "new": {
        "name": _Path,
        "out": _Path,
        "from": _Path,
        "annotations": str | Sequence[str] | None,
        "videos": _Path,
        **_CONVERSION,
    },
    "import": {"src": _Path, "out": _Path, "aligned": bool | None, "strict": bool},
    "export": {
        "ckpt_path": _Path,
        "format": Literal["safetensors", "onnx", "torch_export"],
        "out": _Path,
        "overwrite": bool,
        "license": str | None,
        "notes": str | None,
        "card": Literal["keep", "replace", "none"],
        "metrics": _Path,
        "push": str | None,
        "push_private": bool | None,
        "trusted_packages": Sequence[str],
    },
    "bank": _BANK,
    "data": _ACTIONS_ON_DATA,
}

# Groups and keys of 0.1 that have another name now, and what to write instead.
RENAMED: Mapping[str, str] = {
    "peer_behaviour": "reproduce=mmaction2, original, videomae, pyslowfast or none",
    "peer_frame_shift": "data.frame_shift, which reproduce=mmaction2 sets to 1",
}

# Keys that a section has beside the arguments of its target, and their types.
BESIDE: Mapping[str, Mapping[str, Any]] = {
    section: {"banks": Sequence[str] | Mapping[str, _Positive | None] | None} for section in ("fbo", "model.fbo")
}

# The sections that each command needs, so that a removed one is reported before anything else happens.
SECTIONS: Mapping[str, Sequence[str]] = {
    "train": ("data", "bank", "model", "loss", "optim", "task", "trainer"),
    "test": ("data", "bank", "loss", "optim", "task", "trainer"),
    "extract": ("data", "bank", "extraction", "trainer"),
    "cache": ("data",),
    "check": ("data",),
    "predict": ("persons",),
    "detect": ("data", "persons"),
}

# Keys that name what is written on this machine; `lfb-bank` says itself what its `to` may be.
WRITTEN: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(("check", "detect", "report", "predict", "new", "import", "export", "bank"), ("out",)),
    "eval": ("out", "curves", "submission"),
    "data": ("to", "frames"),
}

# Lightning also offers half and double precision for everything; here, sums over a batch and metrics need 32 bits.
NARROWER: Mapping[str, Any] = {
    "trainer.precision": Literal["32", "bf16-mixed", "16-mixed", "32-true", "bf16", "16", 32, 16],
    "model.num_classes": _Positive | None,
    "trainer.accumulate_grad_batches": _Positive,
    "trainer.check_val_every_n_epoch": _Positive | None,
}
