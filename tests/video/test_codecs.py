"""Every codec and container of the table in docs/data.md is read exactly (the cells are those of benchmarks/codecs.py)."""

import av
import pytest
from benchmarks.codecs import CELLS, check, skips, write_cell

from lfb_lightning.video import selective

NAMES = {f"{cell.what} in {ending}": (cell, ending) for cell in CELLS for ending in cell.containers}


@pytest.mark.parametrize("name", NAMES)
def test_frames_are_exact_by_seek_and_by_stream(tmp_path, name):
    cell, ending = NAMES[name]
    path = tmp_path / f"a.{ending}"
    write_cell(path, cell)
    assert check(path) == ([], [])


@pytest.mark.thorough  # writes every cell once more
def test_every_decoder_that_skips_is_in_a_cell(tmp_path):
    decoders = set()
    for cell in CELLS:
        path = tmp_path / f"a.{cell.containers[0]}"
        write_cell(path, cell)
        with av.open(str(path)) as container:
            decoders.add(container.streams.video[0].codec_context.name)
        codec, _, form = cell.what.partition(", ")
        assert skips(path) == (codec in ("H.264", "HEVC", "VP8", "VP9", "MPEG-2") and "interlaced" not in form), (
            cell.what
        )
    assert decoders >= selective.EXACT_UNDER_SKIPPING


def test_the_check_notices_a_decoder_that_is_not_exact_under_skipping(tmp_path, monkeypatch):
    """libdav1d keeps leaving out pictures once it has been told to for one."""
    monkeypatch.setattr(selective, "EXACT_UNDER_SKIPPING", {"libdav1d"})
    cell, ending = NAMES["AV1 in mp4"]
    write_cell(tmp_path / f"a.{ending}", cell)
    by_seek, _ = check(tmp_path / f"a.{ending}")
    assert by_seek
