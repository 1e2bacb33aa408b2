"""A summary counts what was written."""

import pytest

from lfb_lightning.bank.summary import summarize
from lfb_lightning.viz.bank_report import draw_bank_report
from tests.bank.test_window import write_bank


def test_persons_a_second_and_coverage_by_hand(tmp_path):
    bank, _ = write_bank(tmp_path, {"a": [(902, 1.0), (902, 0.5), (905, 1.0)], "b": [(910, 1.0)], "none": []})
    summary = summarize(bank)
    assert (summary.rows, summary.videos, summary.feature_bytes) == (4, 3, 4 * 16)
    assert summary.persons_per_second == {1: 2, 2: 1}
    assert summary.mean_persons == pytest.approx(4 / 3)
    assert list(summary.coverage) == ["a", "b"]
    assert summary.coverage["a"].share == pytest.approx(2 / 4)
    assert (summary.coverage["a"].first, summary.coverage["a"].last) == (902, 905)


@pytest.mark.parametrize("videos", [{}, {"none": []}, {f"v{n}": [(900 + n, 1.0)] for n in range(90)}])
def test_a_report_is_drawn_of_an_empty_and_of_a_long_bank(tmp_path, videos):
    bank, _ = write_bank(tmp_path / "bank", videos)
    draw_bank_report(tmp_path / "report.png", summarize(bank), title="bank")
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
