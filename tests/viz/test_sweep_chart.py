"""Every parameter gets a panel; numbers that span decades a logarithmic one."""

import pytest
from matplotlib.figure import Figure

from lfb_lightning.viz.sweep_chart import sweep_chart


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    figures = []
    save = Figure.savefig

    def keep(figure, *args, **kwargs):
        figures.append(figure)
        save(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)

    def draw(jobs):
        sweep_chart(tmp_path / "sweep.png", jobs, axis="mAP")
        assert (tmp_path / "sweep.png").stat().st_size > 1000
        return figures[-1].axes

    return draw


def test_names_numbers_and_decades(drawn):
    jobs = [({"fbo": "nl", "window": "10", "lr": "0.001"}, 0.3), ({"fbo": "avg", "window": "60", "lr": "0.1"}, 0.2)]
    fbo, window, rate = drawn([*jobs, ({"fbo": "nl", "window": "20", "lr": "0.01"}, 0.5)])
    assert [label.get_text() for label in fbo.get_xticklabels()] == ["nl", "avg"]
    assert sorted(bar.get_height() for bar in fbo.patches) == pytest.approx([0.2, 0.4])
    assert (window.get_xscale(), rate.get_xscale()) == ("linear", "log")


def test_one_job_without_parameters(drawn):
    (panel,) = drawn([({}, 0.4)])
    assert panel.get_xlabel() == "job"
