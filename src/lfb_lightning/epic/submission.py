"""The submission of EPIC-Kitchens' action recognition challenge: scores of all verbs and nouns of each segment, as JSON."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import durable_file

_VERSION, _CHALLENGE = "0.2", "action_recognition"
_MEMBER = "test.json"  # the name that the server expects in the zip file
_LEVELS = range(6)


def write_submission(
    path: str | Path,
    segment_ids: Sequence[str],
    *,
    verbs: Float[np.ndarray, "N V"],
    nouns: Float[np.ndarray, "N M"],
    pretraining: int = 2,
    training_labels: int = 3,
    training_data: int = 4,
) -> None:
    """Write scores as the challenge's server takes them, so that the file is whole or not there.

    Args:
        path: The file: a `.zip`, which the server takes, with `test.json` in it, or a `.json` with the same content.
        segment_ids: The `narration_id` of each segment.
        verbs: Scores of the verbs, in the segments' order.
        nouns: Scores of the nouns.
        pretraining: The server's supervision level of pretraining (`sls_pt`), 0 to 5; the defaults are those of the
            official program.
        training_labels: That of the training labels (`sls_tl`).
        training_data: That of the training data (`sls_td`).

    Raises:
        InputError: A segment comes twice, a score is not finite, or the file cannot be written.
        ValueError: There are not as many ids as rows, or a level is not from 0 to 5.
    """
    path = Path(path)
    levels = {"sls_pt": pretraining, "sls_tl": training_labels, "sls_td": training_data}
    if len(segment_ids) != len(verbs) or len(verbs) != len(nouns):
        raise ValueError(f"{len(segment_ids)} ids, {len(verbs)} rows of verbs and {len(nouns)} of nouns")
    if not all(level in _LEVELS for level in levels.values()):
        raise ValueError(f"levels {levels}, expected 0 to 5")
    if path.suffix not in (".zip", ".json"):
        raise InputError(f"submission {path}: expected a name that ends in .zip or .json.")
    if len(set(segment_ids)) != len(segment_ids):
        twice = next(one for number, one in enumerate(segment_ids) if one in segment_ids[:number])
        raise InputError(f"submission {path}: segment {twice!r} comes twice, expected one row of scores for each.")
    bad = np.flatnonzero(~(np.isfinite(verbs).all(axis=1) & np.isfinite(nouns).all(axis=1)))
    if len(bad):
        raise InputError(f"submission {path}: a score of segment {segment_ids[bad[0]]!r} is not finite.")
    head = {"version": _VERSION, "challenge": _CHALLENGE, **levels}
    with durable_file(path) as file:
        if path.suffix == ".json":
            _write(file.write, head, segment_ids, verbs, nouns)
        else:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                member = zipfile.ZipInfo(_MEMBER)  # of a fixed date: the same scores are the same bytes
                member.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(member, "w", force_zip64=True) as content:
                    _write(content.write, head, segment_ids, verbs, nouns)


def _write(
    write: Callable[[bytes], object], head: dict[str, object], ids: Sequence[str], verbs: np.ndarray, nouns: np.ndarray
) -> None:
    """Write segment by segment: 13,000 of them as dictionaries would take half a gigabyte."""
    write(json.dumps(head)[:-1].encode() + b', "results": {')
    for part in _segments(ids, verbs, nouns):
        write(part.encode())
    write(b"}}")


def _segments(ids: Sequence[str], verbs: np.ndarray, nouns: np.ndarray) -> Iterator[str]:
    for number, segment_id in enumerate(ids):
        scores = {
            head: {str(column): value for column, value in enumerate(table[number].tolist())}
            for head, table in (("verb", verbs), ("noun", nouns))
        }
        yield f"{', ' if number else ''}{json.dumps(segment_id)}: {json.dumps(scores)}"
