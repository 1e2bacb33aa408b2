"""The metric equals the official evaluator on every oracle case, in each of its three published versions."""

import json

import numpy as np
import pytest

from lfb_lightning.ava.evaluation_csv import read_evaluation_csv
from lfb_lightning.ava.label_map import read_label_map
from lfb_lightning.errors import InputError
from lfb_lightning.metrics.csv_evaluation import evaluate_csv
from tests.conftest import GOLDEN

CASES = GOLDEN / "ava_eval"
PROTOCOLS = {
    "official_head": ("official", False),
    "official_head_excl": ("official", True),
    "official_v2019": ("official_2019", True),
    "official_v2018": ("official_2018", True),
}
# The versions of 2018 and 2019 refuse what today's reads: fractional seconds and two-column rows. We read them always.
READ_BY_HEAD_ONLY = {"c19_key_fractional", "c20_two_column_gt", "c21_two_column_det"}


def cases():
    return [
        pytest.param(folder, version, id=f"{folder.name}-{version}")
        for folder in sorted(CASES.iterdir())
        if folder.is_dir()
        for version in json.loads((folder / "expected.json").read_text())
    ]


@pytest.mark.parametrize(("folder", "version"), cases())
def test_case_equals_the_official_tool(folder, version):
    expected = json.loads((folder / "expected.json").read_text())[version]
    protocol, with_exclusions = PROTOCOLS[version]

    def run():
        return evaluate_csv(
            detections=read_evaluation_csv(folder / "det.csv"),
            annotations=read_evaluation_csv(folder / "gt.csv"),
            action_ids=read_label_map(folder / "labelmap.pbtxt").ids,
            excluded=folder / "excl.csv" if with_exclusions else None,
            protocol=protocol,
        )

    if "error" in expected:
        if folder.name in READ_BY_HEAD_ONLY:
            assert run().mean >= 0
        else:
            with pytest.raises(InputError, match="x2 < x1"):
                run()
        return
    result = run()
    for key, case in expected["per_class"].items():
        value = result.per_class[int(key)]
        if case["ap"] is None:
            assert np.isnan(value)
            continue
        assert value == pytest.approx(case["ap_min"], abs=1e-12)
        if case["mixed_tie_groups"] == 0:
            assert value == pytest.approx(case["ap"], abs=1e-12)
        assert (result.num_ground_truth[int(key)], result.num_true_positives[int(key)]) == (
            case["num_gt"],
            case["num_tp"],
        )
        assert result.num_detections[int(key)] == case["num_det"]
    if expected["mAP"] is None:
        assert np.isnan(result.mean)
    else:
        assert result.mean == pytest.approx(expected["mAP_min"], abs=1e-12)
