"""Every test here runs on a card; most also run on the processor, so that they are known to run."""

import pytest
import torch

from tests.models.conftest import reference  # noqa: F401  the golden networks

CARD = pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")])


@pytest.fixture(params=["cpu", CARD])
def device(request):
    """The processor, or the card."""
    return torch.device(request.param)
