"""How a bank is written and read: the `bank` group of the configuration as a plain value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from lfb_lightning.bank.cells import doubling_edges, even_edges
from lfb_lightning.bank.precision import Precision, stored_dtype
from lfb_lightning.bank.window import Placement, Selection, WindowSpec
from lfb_lightning.clock import exact
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import Url, place_of
from lfb_lightning.ranges import refuse_unknown

Layout = Literal["grid", "packed", "strided", "hierarchical"]
_EDGES = {"strided": even_edges, "hierarchical": doubling_edges}


@dataclass(frozen=True, slots=True, kw_only=True)
class BankConfig:
    """Describes how a bank is written and read. Every field is a key of `conf/bank/*.yaml`, documented there."""

    dir: str
    precision: Precision = "fp16"
    keyframes: str = "proposals"
    outside_video: Literal["fail", "clamp"] = "fail"
    window_seconds: int = 60
    features_per_second: int = 5
    placement: Placement = "centered"
    layout: Layout = "grid"
    cells: int | None = None
    window_before: float | int | str | None = None
    window_after: float | int | str | None = None
    slots: int | None = None
    train_selection: Selection = "random"
    eval_selection: Selection = "top_score"
    strict: bool = False
    on_error: Literal["skip", "stop"] = "skip"
    pack: bool = False
    work_dir: str = "banks/unpacked"
    others: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        stored_dtype(self.precision)
        choices: dict[str, tuple[str, ...]] = {
            "outside_video": ("fail", "clamp"),
            "placement": get_args(Placement),
            "layout": get_args(Layout),
            "train_selection": get_args(Selection),
            "eval_selection": get_args(Selection),
            "on_error": ("skip", "stop"),
        }
        refuse_unknown("bank", self, choices)
        self.window_spec(training=False)  # raises InputError for windows without a slot

    def folder(self, split: str, name: str | None = None) -> Path | Url:
        """Give the folder of a split's bank, or its URL.

        Args:
            split: The split.
            name: Which bank; None: that of `bank.dir`, else one of `bank.others`.

        Raises:
            InputError: `bank.others` does not have the name.
        """
        if name is not None and name not in self.others:
            raise InputError(
                f"bank.others names {', '.join(self.others) or 'no bank'}, but the model reads bank {name!r}; set "
                f"+bank.others.{name}=<its folder, which holds a folder per split>."
            )
        return place_of(self.dir if name is None else self.others[name]) / split

    def folder_to_write(self, split: str) -> Path:
        """Give the folder in which a split's bank is written, a file per video.

        It is that of `bank.dir`, else, where that is a URL, one in `bank.work_dir`, whose bank is then packed to the URL.

        Raises:
            InputError: `bank.dir` is a URL and `bank.pack` is not set.
        """
        folder = self.folder(split)
        if isinstance(folder, Path):
            return folder
        if not self.pack:
            raise InputError(
                f"bank.dir={self.dir}: an object store takes packed banks; set bank.pack=true, which writes a file per video "
                f"below bank.work_dir={self.work_dir} first."
            )
        work = place_of(self.work_dir)
        if isinstance(work, Url):
            raise InputError(f"bank.work_dir={self.work_dir}: expected a folder on this machine.")
        return work / split

    def folder_to_read(self, split: str, name: str | None = None) -> Path | Url:
        """Give the folder of a split's bank as `folder` does; one of `bank.others` must be there.

        What makes such a bank is not known here, so that the remedy is another one than for the bank of `bank.dir`.

        Raises:
            InputError: `bank.others` does not have the name, or its folder is not there.
        """
        folder = self.folder(split, name)
        if name is not None and isinstance(folder, Path) and not folder.exists():
            raise InputError(
                f"bank {folder}: does not exist; run `lfb-extract split={split} bank.dir={folder.parent}` with what makes it "
                f"(a bank of objects: objects=...), take one over by `lfb-bank import`, or set bank.others.{name}."
            )
        return folder

    def window_spec(self, *, training: bool) -> WindowSpec:
        """Describe the windows of training or of evaluation.

        A `grid` is `window_seconds` cells long; a `packed` window lies symmetric around the key frame (`causal`: before
        it), both its ends included. `strided` and `hierarchical` ones cover what a grid covers, in `cells` cells.
        `window_before` and `window_after` say otherwise, and `slots` how many features fit.

        Args:
            training: Whether they are the windows of training, whose choice among too many features is
                `train_selection`.

        Raises:
            InputError: `cells` does not fit the layout and the length, or `slots` the cells.
        """
        spec = WindowSpec.of_seconds(
            self.window_seconds,
            self.features_per_second,
            placement=self.placement,
            selection=self.train_selection if training else self.eval_selection,
        )
        before, after = spec.before, spec.after
        if self.layout == "packed":
            seconds = exact(self.window_seconds)
            before, after = (seconds / 2, seconds / 2) if self.placement == "centered" else (seconds, exact(0))
        if self.window_before is not None:
            before = exact(self.window_before, "bank.window_before")
        if self.window_after is not None:
            after = exact(self.window_after, "bank.window_after")
        if self.layout in _EDGES:
            return self._of_cells(replace(spec, before=before, after=after))
        if self.cells not in (None, self.window_seconds):
            has = "a cell for each" if self.layout == "grid" else "no cells"
            raise InputError(
                f"bank.cells is {self.cells} of bank.window_seconds={self.window_seconds}, but bank.layout={self.layout} has "
                f"{has}; set bank.layout=hierarchical or strided for longer ones, or leave bank.cells out."
            )
        slots = spec.slots if self.slots is None else self.slots
        if self.slots is None and self.layout == "grid" and before + after != spec.before + spec.after:
            slots = (int(before + after) + 1) * self.features_per_second
        return replace(
            spec, before=before, after=after, slots=slots, layout="packed" if self.layout == "packed" else "grid"
        )

    def _of_cells(self, spec: WindowSpec) -> WindowSpec:
        cells = self.window_seconds if self.cells is None else self.cells
        # Too many slots are refused here, before millions of edges are made; too few cells with the edges.
        spec = replace(spec, slots=max(cells, 1) * self.features_per_second)
        edges = _EDGES[self.layout](spec.before, spec.after, cells)
        if self.slots not in (None, spec.slots):
            raise InputError(
                f"bank.slots is {self.slots}, but bank.layout={self.layout} has {spec.slots}: bank.cells x "
                "bank.features_per_second; leave bank.slots out."
            )
        return replace(spec, edges=edges)
