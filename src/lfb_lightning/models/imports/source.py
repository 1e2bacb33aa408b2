"""Where weights are read from: a file, a folder of transformers' kind, or a repository of the Hugging Face Hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lfb_lightning.errors import InputError
from lfb_lightning.models.cards.origins import STATED
from lfb_lightning.models.hub_weights import CARD, fetch_weights, is_hub_name, license_of_card
from lfb_lightning.models.imports.reading import weights_of_folder
from lfb_lightning.models.pretrained import CONFIG, is_own_folder


@dataclass(frozen=True, slots=True)
class WeightSource:
    """A place of this machine that weights are read from.

    Attributes:
        path: The file, or the index of several; a folder where this package has written it.
        shown: How messages and checkpoints call it: as it was typed, of the hub with the commit.
        license: What a repository's card states, and that it does; "": there is none, or it states nothing.
    """

    path: Path
    shown: str
    license: str = ""


def find_weights(path: str | Path) -> WeightSource:
    """Find the file that weights are read from; one of the hub is fetched, unless its cache has it.

    Args:
        path: A file, a folder, or `hf:organization/name` as `fetch_weights` takes it.

    Raises:
        InputError: The hub does not give it, or the folder holds no weights.
    """
    if is_hub_name(path):
        fetched = fetch_weights(path)
        return WeightSource(fetched.path, f"{path} (commit {fetched.commit[:12]})", _stated(fetched.license))
    folder = Path(path)
    if not folder.is_dir() or is_own_folder(folder):
        return WeightSource(folder, str(path))
    found = weights_of_folder(folder)
    if found is None:
        if (folder / CONFIG).is_file():
            return WeightSource(folder, str(path))  # whose reader says what it lacks
        raise InputError(
            f"checkpoint {path}: a folder without {CONFIG} and without model.safetensors; expected a file, or a folder that "
            "lfb-export has written (of a run's folder, give checkpoints/best.ckpt)."
        )
    return WeightSource(found, str(path), _stated(license_of_card(folder / CARD)))


def _stated(license: str) -> str:
    return license and f"{license} ({STATED})"
