"""The readers of checkpoints and banks, with right files and what they say."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
import yaml

from lfb_lightning.bank import BankWriter, FeatureBank, WindowSpec, finish_bank
from lfb_lightning.bank.importing import import_bank
from lfb_lightning.bank.pickled_bank import PickledBank
from lfb_lightning.bank.verify import verify
from lfb_lightning.models import load_detector
from lfb_lightning.models.checkpoint import read_checkpoint
from lfb_lightning.models.imports import import_weights
from lfb_lightning.structures import Keyframe
from tests import stored
from tests.bank.test_window import provenance, write_bank
from tests.fuzzing import forms
from tests.fuzzing.cases import Files, Reader, Seed, made, plain, seed
from tests.fuzzing.mutators import Form, Mutation, any_bytes
from tests.models import golden
from tests.models.imports import test_layouts

# -- checkpoints


def _checkpoints() -> list[Seed]:
    seeds = []
    for path in (stored.BASELINE, stored.NL):
        content = torch.load(path, weights_only=True)
        weights = plain({key.removeprefix("detector."): value for key, value in content["state_dict"].items()})
        says = [[yaml.safe_load(content["hyper_parameters"]["config"]), weights], weights]
        changes = [forms.TORCH, forms.TORCH_RECORDS, forms.spoilt_config, forms.spoilt_config]
        seeds.append(seed({"a.ckpt": path.read_bytes()}, says, *(("a.ckpt", change) for change in changes)))
    return seeds


def _foreign() -> list[Seed]:
    ours = test_layouts.detector(test_layouts.SLOWONLY, test_layouts.NONE).state_dict()
    mmaction2 = golden.GOLDEN / "checkpoints" / "tiny_c4_1x_epoch_0.pth"
    slowfast = {test_layouts.slowfast_name(key): value for key, value in ours.items() if "num_batches" not in key}
    return [
        seed(
            {"a.pth": forms.saved({"model_state": slowfast})},
            None,
            ("a.pth", forms.TORCH),
            ("a.pth", forms.TORCH_RECORDS),
        ),
        seed({"a.pth": mmaction2.read_bytes()}, None, ("a.pth", forms.TORCH_RECORDS)),
    ]


# -- banks

_FEATURES = {"a": {902: [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], 903: [[7.0, 8.0, 9.0]]}, "b/c": {1: [[0.5, 0.25, 0.0]]}}
_MMACTION2_SAYS = [
    ["a", [902, 902, 903], [*_FEATURES["a"][902], *_FEATURES["a"][903]]],
    ["b/c", [1], _FEATURES["b/c"][1]],
]
BANK_ROWS = {"v": [(902, 0.5), (903, 0.9), (903, 0.8)], "w": [(902, 0.5)]}


def _read_mmaction2(folder: Path) -> Any:
    bank = PickledBank(folder / "a.pkl")
    return [
        [video.video_id, plain(video.timestamps), plain(video.features)] for video in map(bank.video, bank.video_ids)
    ]


def _imported(folder: Path) -> Any:
    import_bank(PickledBank(folder / "a.pkl"), folder / "out", split="val")
    bank = FeatureBank.open(folder / "out")
    videos = {video_id: bank.read_video(video_id) for video_id in sorted(bank.videos)}
    return [[name, plain(video.timestamps), plain(video.decoded)] for name, video in videos.items()]


def _mmaction2_bank(
    save: Callable[[Any], bytes], of_row: Callable[[Any], Any], *changes: Form | Mutation
) -> list[Seed]:
    lists = {name: {s: [of_row(row) for row in rows] for s, rows in of.items()} for name, of in _FEATURES.items()}
    arrays = {name: {s: of_row(rows) for s, rows in of.items()} for name, of in _FEATURES.items()}
    says = [_MMACTION2_SAYS, _MMACTION2_SAYS]
    return [seed({"a.pkl": save(content)}, says, *(("a.pkl", form) for form in changes)) for content in (lists, arrays)]


def _older_form() -> Seed:
    return seed({"a.pkl": (golden.GOLDEN / "bank" / "lfb_unittest.pkl").read_bytes()}, None, ("a.pkl", any_bytes))


def _window(folder: Path) -> Any:
    window = FeatureBank.open(folder).window(
        Keyframe("v", 903), WindowSpec.of_seconds(seconds=2, features_per_second=2)
    )
    return [plain(window.mask[0]), plain(window.padded(torch.float32)[0])]


def _problems(folder: Path) -> Any:
    (bank := FeatureBank.open(folder)).videos  # noqa: B018 - of a table that is refused, nothing can be verified
    try:
        return [verdict.problem for verdict in verify(bank) if verdict.problem]
    except ValueError as error:
        raise AssertionError(f"verify finds problems and raises none: {error}") from error


def _gone_on(folder: Path) -> Any:
    """As lfb-extract finds what it wrote before."""
    shutil.copytree(folder, folder / "out", ignore=shutil.ignore_patterns("out"))
    writer = BankWriter(folder / "out", ours := provenance())
    finished = [writer.is_finished(name) for name in BANK_ROWS]
    same = writer.is_of("w", timestamps=np.array([902]), boxes=np.zeros((1, 4)), scores=np.array([0.5]))
    return [finished, same, finish_bank(folder / "out", ours, list(BANK_ROWS)).num_rows]


BANK_WAYS = [
    _window,
    lambda folder: [plain(part) for part in FeatureBank.open(folder).rows_at(Keyframe("v", 903))],
    lambda folder: [list(keyframe) for keyframe in FeatureBank.open(folder).keyframes()],
    lambda folder: plain(FeatureBank.open(folder).read_video("v").decoded),
    _problems,
    _gone_on,
]


def _other_videos(files: Files, chance: Random) -> Files:
    """Another table of videos, which the manifest may know of."""
    table, manifest = forms.JSON.spoilt(files["videos.json"], chance), json.loads(files["manifest.json"])
    if chance.random() < 0.8:
        manifest["videos_checksum"] = hashlib.sha256(table).hexdigest()
    return files | {"videos.json": table, "manifest.json": json.dumps(manifest).encode()}


_VALUES = torch.arange(1.0, 13.0).view(3, 4).tolist()  # as write_bank numbers them
BANK_SAYS: list[Any] = [
    [[True, False, True, True], [_VALUES[0], [0.0] * 4, *_VALUES[1:]]],
    [[[0.0] * 4] * 2, plain(np.float32([0.9, 0.8])), _VALUES[1:]],
    [["v", 902], ["v", 903], ["w", 902]],
    _VALUES,
    [],
    [[True, True], True, 4],
]


def _bank(*spoilt: tuple[str, Form]) -> list[Seed]:
    return [seed(made(lambda folder: write_bank(folder, BANK_ROWS)), BANK_SAYS, *spoilt)]


STORED = [
    Reader(
        "checkpoint",
        [
            lambda folder: plain(read_checkpoint(folder / "a.ckpt")),
            lambda folder: plain(dict(load_detector(folder / "a.ckpt").state_dict())),
        ],
        _checkpoints,
    ),
    Reader(
        "another code base's checkpoint",
        [
            lambda folder: import_weights(folder / "a.pth").report.text(),
        ],
        _foreign,
    ),
    Reader(
        "bank of mmaction2, pickle",
        [_read_mmaction2, _imported],
        lambda: _mmaction2_bank(pickle.dumps, np.float32, forms.PICKLE, forms.spoilt_pickle),
    ),
    Reader(
        "bank of mmaction2, torch",
        [_read_mmaction2, _imported],
        lambda: [*_mmaction2_bank(forms.saved, torch.tensor, forms.TORCH, forms.TORCH_RECORDS), _older_form()],
    ),
    Reader("bank file", BANK_WAYS, lambda: _bank(("v.safetensors", forms.SAFETENSORS))),
    Reader("bank manifest", BANK_WAYS, lambda: _bank(("manifest.json", forms.JSON))),
    Reader("bank's table of videos", BANK_WAYS, lambda: [Seed(s.files, s.says, [_other_videos]) for s in _bank()]),
]
