"""Broadcasts on 127.0.0.1 that are no web pages: MPEG-TS over TCP and RTP, and a camera that speaks RTSP."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av

# What is played when a client asks for it: MPEG-TS in RTP, as static payload type 33 says.
_SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track\r\n"


def send(clip: Path, address: str, kind: str, pause: float = 0.02) -> None:
    """Send a clip to an address as a format of FFmpeg, a packet every so many seconds."""
    with av.open(str(clip)) as source, av.open(address, "w", format=kind) as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            packet.stream = copy
            if packet.size:
                target.mux(packet)
            time.sleep(pause)


@contextlib.contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Yield the port of a server that lets `answer` talk to the first who calls, then hangs up."""
    server = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with contextlib.suppress(OSError):
            caller, _ = server.accept()
            with caller:
                answer(caller)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()
        thread.join(10)


def tcp(clip: Path, pause: float = 0.02) -> contextlib.AbstractContextManager[int]:
    """Return a server that sends the bytes of a clip in pieces."""

    def answer(caller: socket.socket) -> None:
        data = clip.read_bytes()
        step = max(188, len(data) // 100)
        for first in range(0, len(data), step):
            caller.sendall(data[first : first + step])
            time.sleep(pause)

    return answering(answer)


def camera(clip: Path, status: str = "200 OK") -> contextlib.AbstractContextManager[int]:
    """Return a server that plays a clip to whoever asks in RTSP (RFC 2326), its RTP packets between the answers."""

    def answer(caller: socket.socket) -> None:
        asked = caller.makefile("rb")
        while request := asked.readline().decode().split():
            lines = {}
            while line := asked.readline().decode().strip():
                name, _, value = line.partition(":")
                lines[name.lower()] = value.strip()
            head, body = [f"RTSP/1.0 {status}", f"CSeq: {lines['cseq']}", "Session: 1"], ""
            if request[0] == "OPTIONS":
                head += ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"]
            elif request[0] == "DESCRIBE" and status.startswith("200"):
                body = _SDP
                head += [
                    f"Content-Base: {request[1]}/",
                    "Content-Type: application/sdp",
                    f"Content-Length: {len(body)}",
                ]
            elif request[0] == "SETUP":
                head += ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1"]
            caller.sendall(("\r\n".join(head) + "\r\n\r\n" + body).encode())
            if request[0] == "PLAY":
                _play(clip, caller)
                return

    return answering(answer)


def _play(clip: Path, caller: socket.socket) -> None:
    """Pass on the RTP packets that FFmpeg makes of a clip, each behind `$`, its channel and its length."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inlet:
        inlet.bind(("127.0.0.1", 0))
        inlet.settimeout(1.0)
        address = f"rtp://127.0.0.1:{inlet.getsockname()[1]}"
        threading.Thread(target=send, args=(clip, address, "rtp_mpegts"), daemon=True).start()
        with contextlib.suppress(TimeoutError):
            while packet := inlet.recv(65536):
                caller.sendall(b"$\0" + len(packet).to_bytes(2, "big") + packet)
