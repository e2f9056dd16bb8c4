"""Sources on 127.0.0.1: a web server that gives a file whole, slowly, in part or never."""

import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextlib.contextmanager
def serving(data: bytes, *, length: int | None = None, seconds: float = 0.0, silent: bool = False, kind="video/mp2t"):
    """Yield the address of a server that sends `data` over some seconds, claiming a length or none."""
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            if silent:
                done.wait(20)
                return
            self.send_response(200 if self.path.startswith("/clip") else 404)
            self.send_header("Content-Type", kind)
            # FFmpeg takes the end of what has neither a length nor chunks for a break.
            how = ("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length))
            self.send_header(*how)
            self.end_headers()
            step = max(188, len(data) // 50 // 188 * 188)
            with contextlib.suppress(OSError):
                for first in range(0, len(data), step):
                    part = data[first : first + step]
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if length is None else part)
                    time.sleep(seconds * step / len(data))
                self.wfile.write(b"0\r\n\r\n" if length is None else b"")
            self.close_connection = True

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/clip"
    finally:
        done.set()
        server.shutdown()
        server.server_close()
