#!/usr/bin/env bash
# Shows: a complete video sent over HTTP without Content-Length and without chunks, whose end is the end of the
#   connection (HTTP/1.0, many cameras and simple servers), raises an input/output error in PyAV 18.1 instead of ending,
#   although the server says "Connection: close"; the frames that the decoder still holds are lost to a plain loop.
# Versions: av 18.1.0 (FFmpeg 8 inside)
# Date: 2026-11-28
# Seen: with Content-Length "20 frames, then the end"; without "19 frames, then OSError 5"
# Guess: the end of the connection is the end of the file in both
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy==2.3.5
cat > "$folder/ask.py" <<'PY'
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import av
import numpy as np

path = f"{sys.argv[1]}/clip.ts"
with av.open(path, "w", format="mpegts") as container:
    stream = container.add_stream("mpeg2video", rate=25)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for number in range(20):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 10 * number, np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
body = open(path, "rb").read()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.send_header("Connection", "close")
        if self.path == "/length.ts":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
found = {}
for name in ("length", "none"):
    count, end = 0, "the end"
    with av.open(f"http://127.0.0.1:{server.server_port}/{name}.ts") as container:
        try:
            for _ in container.decode(video=0):
                count += 1
        except OSError as error:
            end = f"OSError {error.errno}"
    found[name] = f"{count} frames, then {end}"
    print(name, found[name])
assert found == {"length": "20 frames, then the end", "none": "19 frames, then OSError 5"}, found
PY
"$folder/venv/bin/python" "$folder/ask.py" "$folder"
