#!/usr/bin/env bash
# Shows: with PyAV 19.0.2 (FFmpeg 9.0.2) a complete video that an HTTP/1.1 server sends in chunks, closed by the chunk of
#   length zero, raises an input/output error at its end, and a plain loop loses the frames that the decoder still holds;
#   PyAV 18.1.0 (FFmpeg 8.1.2) reads it to the end. Asking for keep-alive (`multiple_requests`), which changes nothing for
#   one request, makes the end an end again.
# Versions: av 18.1.0 and 19.0.2, Python 3.12 or newer (19 has no build for older ones; PYTHON=... names it)
# Date: 2026-11-28
# Seen: "18.1.0: 40 frames, the end", "19.0.2: 38 frames, OSError 5", "19.0.2 with multiple_requests: 40 frames, the end"
# Guess: "40 frames, the end" three times, since a chunked body says its end itself
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/ask.py" <<'PY'
import io
import socket
import sys
import threading

import av
import numpy as np

file = io.BytesIO()
with av.open(file, "w", format="mpegts") as target:
    stream = target.add_stream("libx264", rate=10)
    stream.width = stream.height = 64
    stream.pix_fmt = "yuv420p"
    for level in range(40):
        grey = np.full((64, 64, 3), 5 * level, np.uint8)
        target.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
    target.mux(stream.encode())
data = file.getvalue()
server = socket.create_server(("127.0.0.1", 0))


def serve():
    while True:
        client = server.accept()[0]
        client.recv(4096)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nTransfer-Encoding: chunked\r\n\r\n")
        for first in range(0, len(data), 1880):
            part = data[first : first + 1880]
            client.sendall(b"%x\r\n%b\r\n" % (len(part), part))
        client.sendall(b"0\r\n\r\n")
        client.close()


threading.Thread(target=serve, daemon=True).start()
options = {"multiple_requests": "1"} if "keep" in sys.argv else {}
count, end = 0, "the end"
with av.open(f"http://127.0.0.1:{server.getsockname()[1]}/clip", options=options) as source:
    try:
        for _ in source.decode(video=0):
            count += 1
    except OSError as error:
        end = f"OSError {error.errno}"
print(f"{av.__version__}{' with multiple_requests' if options else ''}: {count} frames, {end}")
PY
for version in 18.1.0 19.0.2; do
    "${PYTHON:-python3}" -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet "av==$version" numpy==2.3.5
done
seen=$("$folder/18.1.0/bin/python" "$folder/ask.py"; "$folder/19.0.2/bin/python" "$folder/ask.py"
    "$folder/19.0.2/bin/python" "$folder/ask.py" keep)
echo "$seen"
[ "$seen" = "18.1.0: 40 frames, the end
19.0.2: 38 frames, OSError 5
19.0.2 with multiple_requests: 40 frames, the end" ]
