"""Memory does not grow with the length of a video: decoder, windows, network and features together."""

import subprocess
import sys
from pathlib import Path

import av

PROGRAM = Path(__file__).with_name("peak.py")


def test_a_long_clip_needs_no_more_than_a_short_one(shared, tmp_path):
    long = shared / "videos/long_139s_10fps.mp4"
    # Long enough that the queues of both are full at their peak.
    short = tmp_path / "short.mp4"
    with av.open(str(long)) as source, av.open(str(short), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size][:417]
        for packet in packets:
            packet.stream = stream
            target.mux(packet)
    command = [sys.executable, PROGRAM, tmp_path / "out", short, long]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    (frames, windows, first), (all_frames, all_windows, second) = (
        map(int, line.split()) for line in done.stdout.splitlines()
    )
    assert (frames, all_frames) == (417, 1394) and (windows, all_windows) == (25, 86)
    assert second <= 1.1 * first
