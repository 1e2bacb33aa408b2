"""The action detector: short-term features of persons, what the bank adds to them, and the head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast, overload

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lfb_lightning.models.attributes import required_attribute, short_term_channels
from lfb_lightning.models.digest import state_digest
from lfb_lightning.models.fbo.several import tell_of_another_bank
from lfb_lightning.models.head import make_head
from lfb_lightning.models.saved import Saved
from lfb_lightning.structures import Attention, BankWindow, BankWindows


class ActionDetector(Saved):
    """Scores every action of every region (a person, or a whole clip) in a batch of clips.

    A score column is an action id of the label map, so `num_classes` is the largest id plus one.

    Args:
        backbone: A module that is a `Backbone`.
        roi_features: A module that is a `RegionFeatures`.
        fbo: A module that is an `FBO`.
        num_classes: Score columns.
        dropout: Probability, before the head.
        frozen_backbone: Whether the backbone stays as loaded: no gradient, evaluation mode.
        bank_channels: Width of the features in the bank that the FBO reads; None: that of the short-term features.
        bank_name: Which of several banks the FBO reads; None: the one that is made with this detector's own features.
        head_layers: Layers of the head, 1 or 2.
        head_channels: Width between two of them; None: that of the short-term features.
        banks: The width of each bank's features by name, where `fbo` is an `FBOSeveral`; None: it reads one bank.

    Attributes:
        bank_channels: Width of the bank's features; of several banks, of all of them together.

    Raises:
        InputError: The backbone or the FBO lacks an attribute that it is asked for.
    """

    def __init__(
        self,
        *,
        backbone: nn.Module,
        roi_features: nn.Module,
        fbo: nn.Module,
        num_classes: int,
        dropout: float = 0.3,
        frozen_backbone: bool = False,
        bank_channels: int | None = None,
        bank_name: str | None = None,
        head_layers: int = 1,
        head_channels: int | None = None,
        banks: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        if num_classes < 1:
            raise ValueError(f"num_classes is {num_classes}, expected the largest action id plus one")
        self.channels = short_term_channels(backbone, roi_features)
        self.bank_channels = sum((banks or {"": bank_channels or self.channels}).values())
        self.bank_name = bank_name
        self.banks = None if banks is None else dict(banks)
        self.stride = required_attribute(backbone, "stride", of="backbone", least=1)
        self.backbone = backbone
        self.roi_features = roi_features
        self.fbo = fbo
        self.num_classes = num_classes
        self.frozen_backbone = frozen_backbone
        self.dropout = nn.Dropout(dropout)
        width = self.channels + required_attribute(fbo, "out_channels", of="fbo", least=0)
        between = self.channels if head_channels is None else head_channels
        self.head = make_head(width, num_classes, layers=head_layers, channels=between)
        tell_of_another_bank(fbo, bank_name)
        if frozen_backbone:
            backbone.requires_grad_(False)
        self.train()  # Lightning trains modules in the mode that it finds them in

    @classmethod
    def from_pretrained(
        cls, name: str | Path, *, revision: str | None = None, trusted_packages: Sequence[str] = ()
    ) -> ActionDetector:
        """Load a detector that `save_pretrained` or `lfb-export format=safetensors` has written.

        Args:
            name: Its folder, or `organization/name` of the Hugging Face Hub, which is fetched unless it is in the cache.
            revision: The hub's branch, tag or commit.
            trusted_packages: Packages whose own classes and functions it may name too.

        Raises:
            InputError: It cannot be found or loaded.
        """
        from lfb_lightning.models.hub import local_folder
        from lfb_lightning.models.loading import load_detector  # it imports this file

        return load_detector(local_folder(name, revision), trusted_packages)

    @property
    def reads_bank(self) -> bool:
        """Whether the FBO needs a bank; one that does not say so is taken to need it."""
        return bool(getattr(self.fbo, "reads_bank", True))

    @property
    def attends(self) -> bool:
        """Whether the FBO can say where it looked: `return_attention=True` works."""
        return bool(getattr(self.fbo, "attends", False))

    @property
    def window_slots(self) -> int | None:
        """The number of slots that the FBO's windows have; None: it reads any."""
        return getattr(self.fbo, "window_slots", None)

    @property
    def reads_identity(self) -> bool:
        """Whether the FBO's windows are to say which slots show the same person as each region."""
        return self.reads_bank and bool(getattr(self.fbo, "reads_identity", False))

    @property
    def needs_bank_statistics(self) -> bool:
        """Whether the FBO wants the training bank's statistics before training starts."""
        return hasattr(self.fbo, "set_statistics") and bool(getattr(self.fbo, "needs_statistics", True))

    def set_bank_statistics(self, mean: Float[Tensor, " D"], std: Float[Tensor, " D"], bank: str | None = None) -> None:
        """Give the FBO the training bank's statistics, if it wants them.

        Args:
            mean: Mean of each of the bank's channels.
            std: Their standard deviations.
            bank: Which of `banks`; None where one bank is read.
        """
        if self.needs_bank_statistics:
            cast(Any, self.fbo).set_statistics(mean, std, *([] if bank is None else [bank]))

    @property
    def needs_short_term_statistics(self) -> bool:
        """Whether the FBO reads another bank and wants (`set_short_term_statistics`) those of the detector's own, if any."""
        return bool(getattr(self.fbo, "needs_short_term_statistics", False))

    def describe_backbone(self) -> str:
        """Describe the backbone's architecture in a line: its own `describe()`, or the name of its class."""
        describe = getattr(self.backbone, "describe", None)
        return str(describe()) if callable(describe) else type(self.backbone).__name__

    @property
    def fbo_name(self) -> str:
        """How results call what reads the bank: the name of the FBO's class."""
        return type(self.fbo).__name__

    def digest(self) -> str:
        """Compute the digest of all weights."""
        return state_digest(self)

    def backbone_digest(self) -> str:
        """Compute the digest of the backbone's weights, by which a bank says what made it."""
        return state_digest(self.backbone)

    def describe_features(self) -> str:
        """State everything that decides the short-term features of given clips: detectors that say the same see the same."""
        pooling = {name: value for name, value in vars(self.roi_features).items() if not name.startswith("_")}
        parts = [self.backbone_digest(), self.describe_backbone(), state_digest(self.roi_features)]
        return " ".join(map(str, [*parts, type(self.roi_features), pooling]))

    def short_term_features(
        self, clips: Float[Tensor, "B 3 T H W"], rois: Float[Tensor, "R 5"]
    ) -> Float[Tensor, "R C"]:
        """Compute the regions' own features, which are what the bank stores.

        Args:
            clips: Normalized clips.
            rois: Clip index and box (x1, y1, x2, y2) in pixels of the clip, for each of R regions.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen_backbone):
            return self.roi_features(self.backbone(clips), rois, stride=self.stride)

    @overload
    def classify(
        self,
        short_term: Float[Tensor, "R C"],
        window: BankWindow | BankWindows | None,
        clip_of_roi: Int[Tensor, " R"],
        return_attention: Literal[False] = False,
    ) -> Float[Tensor, "R A"]: ...

    @overload
    def classify(
        self,
        short_term: Float[Tensor, "R C"],
        window: BankWindow | BankWindows | None,
        clip_of_roi: Int[Tensor, " R"],
        return_attention: bool,
    ) -> Any: ...

    def classify(
        self,
        short_term: Float[Tensor, "R C"],
        window: BankWindow | BankWindows | None,
        clip_of_roi: Int[Tensor, " R"],
        return_attention: bool = False,
    ) -> Float[Tensor, "R A"] | tuple[Float[Tensor, "R A"], Attention | dict[str, Attention]]:
        """Compute logits from the regions' short-term features and their clips' windows.

        Args:
            short_term: What `short_term_features` returns, or rows of a bank that the same backbone made.
            window: One bank window per clip, of several banks one of each; None where the FBO reads no bank.
            clip_of_roi: The clip that each region is in, 0 to B - 1.
            return_attention: Whether to return `(logits, attention)`, for an FBO that `attends`; of several banks, the
                attention by the bank's name.

        Raises:
            ValueError: Attention is asked for, and the FBO has none.
        """
        if not return_attention:
            return self._head(short_term, self.fbo(short_term, window, clip_of_roi))
        if not self.attends:
            raise ValueError(
                f"return_attention: {type(self.fbo).__name__} has no attention; ask detector.attends first"
            )
        long_term, attention = self.fbo(short_term, window, clip_of_roi, return_attention=True)
        return self._head(short_term, long_term), attention

    def _head(self, short_term: Float[Tensor, "R C"], long_term: Float[Tensor, "R D"]) -> Float[Tensor, "R A"]:
        return self.head(self.dropout(torch.cat([short_term, long_term], dim=1)))

    def forward(
        self,
        clips: Float[Tensor, "B 3 T H W"],
        rois: Float[Tensor, "R 5"],
        window: BankWindow | BankWindows | None = None,
        return_attention: bool = False,
    ) -> Float[Tensor, "R A"] | tuple[Float[Tensor, "R A"], Attention | dict[str, Attention]]:
        """Compute the logits of every region.

        Args:
            clips: Normalized clips.
            rois: Clip index and box (x1, y1, x2, y2) in pixels of the clip, for each of R regions.
            window: One bank window per clip, of several banks one of each; None where the FBO reads no bank.
            return_attention: See `classify`.
        """
        return self.classify(self.short_term_features(clips, rois), window, rois[:, 0].long(), return_attention)

    def train(self, mode: bool = True) -> ActionDetector:
        """Switch the mode; a frozen backbone stays in evaluation mode."""
        super().train(mode)
        if self.frozen_backbone:
            self.backbone.eval()
        return self
