"""A user's mistake keeps its own words, wherever it was found."""

import pytest
from torch.utils.data import DataLoader, Dataset

from lfb_lightning.errors import InputError


class Broken(Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise InputError("video a.mp4: no \x1b[2Jsuch\nfile.")


def test_a_loader_workers_error_arrives_without_its_traceback():
    with pytest.raises(InputError) as caught:
        next(iter(DataLoader(Broken(), num_workers=1)))
    assert str(caught.value) == "video a.mp4: no ?[2Jsuch file."  # one line, whatever a file's names hold
