"""The place to which a bank is packed, and what is there already."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from lfb_lightning.bank.manifest import Manifest, Provenance
from lfb_lightning.bank.packed.targets import target_of
from lfb_lightning.bank.reader import FeatureBank
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import Url


@dataclass(frozen=True, slots=True)
class PackedPlace:
    """The folder or the URL to which a bank is packed when it is whole.

    Args:
        place: `<bank_dir>/<split>`, or its URL.
        made: What decides the bank's content.
    """

    place: Path | Url
    made: Provenance

    def manifest(self) -> Manifest | None:
        """Read the manifest of the packed bank that is there, however it was made; None where there is none."""
        found = target_of(self.place).manifest()
        return None if found is None or found.packed is None else found

    def bank(self) -> FeatureBank | None:
        """Open the packed bank of this making that is there, of which no video failed; None where there is none."""
        found = self.manifest()
        if found is None or found.failed or found.provenance.differences(self.made):
            return None
        return FeatureBank.open(self.place)

    def refuse_other_bank(self) -> None:
        """Raise InputError where a URL has a bank of another making: packing to it would be refused, hours later."""
        found = self.manifest() if isinstance(self.place, Url) else None
        if found is not None and (differences := found.provenance.differences(self.made)):
            raise InputError(f"bank {self.place}: is another bank ({'; '.join(differences)}); choose another bank.dir.")

    def holding(self, video_ids: Collection[str]) -> Manifest | None:
        """Give the manifest of that bank if it has all of these videos, as when another run has just packed them."""
        found = self.bank()
        return found.manifest if found is not None and not set(video_ids) - found.videos.keys() else None
