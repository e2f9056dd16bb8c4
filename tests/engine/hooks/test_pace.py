"""Batches on their way to a device, and how fast a training goes."""

import contextlib
import logging
import types

import pytest
import torch

from slowfast.engine.hooks import pace
from slowfast.engine.hooks.pace import Pace, in_words, on_device

CPU, CARD = torch.device("cpu"), types.SimpleNamespace(type="cuda")


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""
    now = types.SimpleNamespace(value=100.0)
    monkeypatch.setattr(pace.time, "perf_counter", lambda: now.value)
    return now


def test_batches_on_the_cpu_pass_through_one_by_one():
    read = []
    clips = torch.ones(2)
    stream = on_device((read.append(number) or {"clips": clips, "names": ["a"]} for number in range(3)), CPU)
    assert not read
    assert next(stream)["clips"] is clips and read == [0]
    assert len(list(stream)) == 2


def test_batches_of_a_card_are_made_on_a_stream_of_their_own(monkeypatch):
    events, inside = [], []

    class Stream:
        def wait_stream(self, other):
            events.append("wait" if other is side else "wrong")

    class Tensor(torch.Tensor):
        def record_stream(self, stream):
            events.append("keep" if stream is main else "wrong")

    @contextlib.contextmanager
    def stream(which):
        inside.append(which)
        yield
        inside.pop()

    side, main = Stream(), Stream()
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: side)
    monkeypatch.setattr(torch.cuda, "stream", stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: main)
    monkeypatch.setattr(pace, "to_device", lambda batch, device: events.append("copy" if inside else "wrong") or batch)

    def batches():
        for number in range(2):
            events.append(f"make {number}" if inside == [side] else "wrong")
            yield {"clips": torch.ones(1).as_subclass(Tensor), "number": number}

    for batch in on_device(batches(), CARD):
        assert not inside
        events.append(f"step {batch['number']}")
    one = ["copy", "wait", "keep"]
    assert events == ["make 0", *one, "step 0", "make 1", *one, "step 1"]


def test_rates(clock):
    own = Pace(CPU)
    for waited in (1.0, 0.5):
        mark = own.now()
        clock.value += waited
        own.add(mark, 8)
        clock.value += 2.25
    assert own.take() == {"clips/s": 16 / 6, "waiting": 0.25}
    assert in_words({"clips/s": 16 / 6, "waiting": 0.25}) == "2.67 clips/s waiting 25 % "
    clock.value += 1.0
    assert own.take() == {"clips/s": 0.0, "waiting": 0.0}
    assert in_words({}) == ""


def test_rates_of_a_card_go_by_its_own_clock(clock, monkeypatch):
    class Event:
        at = 0.0

        def __init__(self, enable_timing):
            assert enable_timing

        def record(self, stream):
            self.place = Event.at

        def synchronize(self):
            pass

        def elapsed_time(self, other):
            return other.place - self.place

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 10.2e9)
    own = Pace(CARD)
    mark = own.now()
    clock.value += 2.0  # the program waits, but not the card
    Event.at += 400.0
    own.add(mark, 4)
    rates = own.take()
    assert rates == {"clips/s": 2.0, "waiting": 0.2, "GB": 10.2}
    assert in_words(rates) == "2 clips/s waiting 20 % peak 10.2 GB "


def go_on(own, clock, *, waited, iterations):
    for _ in range(iterations):
        mark = own.now()
        clock.value += waited
        own.add(mark, 1)
        clock.value += 1.0 - waited
    own.take()


def test_a_slow_loader_is_told_once_with_what_helps(clock, caplog):
    own = Pace(CPU)
    with caplog.at_level(logging.WARNING, "slowfast"):
        for waited, iterations in ((0.5, 19), (0.1, 10), (0.5, 10)):
            go_on(own, clock, waited=waited, iterations=iterations)
        assert not caplog.records
        for _ in range(5):
            go_on(own, clock, waited=0.5, iterations=10)
    (record,) = caplog.records
    for text in ("50 %", "DATA_LOADER.NUM_WORKERS", "DATA.CACHE_DIR", "DATA.DEVICE_TRANSFORM True"):
        assert text in record.getMessage()
