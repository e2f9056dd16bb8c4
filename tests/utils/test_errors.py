"""The one kind of error that people read."""

import pytest
from torch.utils.data import DataLoader, Dataset

from slowfast.utils.errors import ConfigError, InputError


class Failing(Dataset):
    """A data set whose clips all raise."""

    def __init__(self, error):
        self.error = error

    def __len__(self):
        return 2

    def __getitem__(self, index):
        raise self.error


@pytest.mark.parametrize("kind", [InputError, ConfigError])
def test_what_a_decoding_process_says_arrives_without_its_traceback(kind):
    loader = DataLoader(Failing(kind("list.csv, row 3: none\nthere: write it")), num_workers=1)
    with pytest.raises(kind) as caught:
        next(iter(loader))
    assert str(caught.value) == "list.csv, row 3: none\nthere: write it"


def test_a_fault_of_ours_keeps_its_traceback():
    with pytest.raises(ValueError, match="Original Traceback"):
        next(iter(DataLoader(Failing(ValueError("of ours")), num_workers=1)))


def test_other_texts_stay_as_they_are():
    text = "Original Traceback (most recent call last):"
    assert str(InputError(text)) == text and str(InputError(OSError(2, "gone"))) == "[Errno 2] gone"
    assert str(InputError()) == ""
