"""A GPU that torch cannot use is told; a machine without one is not."""

import warnings

import pytest
import torch

from slowfast.apps import doctor
from slowfast.utils.gpu import find_gpu, use_gpu


@pytest.fixture
def driver(monkeypatch):
    """Make torch see, or complain about, a card."""

    def set_to(found, complaint=""):
        def is_available():
            if complaint:
                warnings.warn(complaint, UserWarning, stacklevel=1)
            return found

        monkeypatch.setattr(torch.cuda, "is_available", is_available)

    return set_to


@pytest.mark.parametrize("found", [True, False])
def test_with_or_without_a_card_nothing_is_said(found, driver, caplog):
    driver(found)
    assert find_gpu() == (found, "") and use_gpu(1) is found
    assert not caplog.records


def test_a_driver_that_does_not_fit_is_told_and_the_cpu_is_used(driver, caplog):
    driver(False, "CUDA initialization: The NVIDIA driver on your\n system is too old (found version 11040).")
    assert not use_gpu(1)
    (record,) = caplog.records
    assert "runs on the CPU" in record.getMessage() and "your system is too old (found" in record.getMessage()
    assert "NUM_GPUS 0" in record.getMessage()
    caplog.clear()
    assert not use_gpu(0) and not caplog.records


def test_a_complaint_about_a_card_that_works_does_not_count(driver, caplog):
    driver(True, "a new card")
    assert find_gpu() == (True, "") and use_gpu(2) and not caplog.records


def test_the_gpu_of_a_mac_is_named_and_left_alone(driver, caplog, monkeypatch):
    driver(False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert not use_gpu(1)
    (record,) = caplog.records
    assert "(mps) is not used" in record.getMessage() and "NUM_GPUS 0" in record.getMessage()
    caplog.clear()
    assert not use_gpu(0) and not caplog.records
    assert "that of a Mac (mps) is not used" in str(doctor._gpu())
