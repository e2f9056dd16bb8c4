"""The page's server: this machine only, a secret in the address, nothing from elsewhere."""

import hmac
import json
import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from slowfast.apps.review.films import Films
from slowfast.apps.review.state import Review
from slowfast.report.html import render
from slowfast.utils.errors import InputError

_LARGEST = 10_000  # bytes of a request
_HEADERS = {
    "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY",
}  # fmt: skip


class _Refused(Exception):
    """A request that is not answered; the status says why."""


class ReviewServer(ThreadingHTTPServer):
    """Serves one review on 127.0.0.1; port 0 is any free one."""

    daemon_threads = True

    def __init__(self, review: Review, films: Films, title: str, port: int = 0) -> None:
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            raise InputError(
                f"--port {port} cannot be used ({error}); give another one, or 0 for any free one"
            ) from None
        self.review, self.films, self.token = review, films, secrets.token_urlsafe(24)
        self.hosts = {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}
        folder = Path(__file__).parent
        values = {"classes": review.class_names}
        self.page = render("review.html", script="review.js", folders=[folder], values=values, title=title)

    @property
    def address(self) -> str:
        """The address to open."""
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"


class _Handler(BaseHTTPRequestHandler):
    """Answers the page's requests."""

    server: ReviewServer
    protocol_version = "HTTP/1.1"
    timeout = 60
    # An answer in one piece and at once: its second half would wait 40 ms for the browser's word about the first.
    wbufsize, disable_nagle_algorithm = -1, True

    def do_GET(self) -> None:
        """Answer a request that changes nothing."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Answer a decision."""
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the secret address out of the terminal."""

    def _answer(self, method) -> None:
        """Send what a method returns, or why it does not."""
        try:
            name, query = self._place()
            status, kind, body = HTTPStatus.OK, *method(name, query)
        except _Refused as refused:
            status, kind, body = refused.args[0], "text/plain", refused.args[0].phrase.encode()
            self.close_connection = True
        except InputError as error:
            body = json.dumps({"error": str(error)}).encode()
            status, kind = HTTPStatus.UNPROCESSABLE_ENTITY, "application/json"
        try:
            self.send_response(status)
            for header, value in (*_HEADERS.items(), ("Content-Type", kind), ("Content-Length", str(len(body)))):
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _place(self) -> tuple[str, dict[str, str]]:
        """Return what is asked for, when the request comes from this page."""
        parts = urlsplit(self.path)
        token, _, name = parts.path.removeprefix("/").partition("/")
        origin = self.headers.get("Origin")
        known = self.headers.get("Host") in self.server.hosts
        if not known or (origin and origin not in {f"http://{host}" for host in self.server.hosts}):
            raise _Refused(HTTPStatus.FORBIDDEN)
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            raise _Refused(HTTPStatus.NOT_FOUND)
        return name, {key: values[0] for key, values in parse_qs(parts.query).items()}

    def _get(self, name: str, query: dict[str, str]) -> tuple[str, bytes]:
        review = self.server.review
        if name == "":
            return "text/html; charset=utf-8", self.server.page.encode()
        if name == "next":
            return self._next(query.get("tab", ""))
        if name == "state":
            row = query.get("row", "")
            return self._json({**review.state(), "this": review.state_of(self._row(row)) if row else None})
        if name.startswith("clip/"):
            return "video/mp4", self.server.films.get(self._row(name.removeprefix("clip/")))
        raise _Refused(HTTPStatus.NOT_FOUND)

    def _post(self, name: str, query: dict[str, str]) -> tuple[str, bytes]:
        review, tab = self.server.review, query.get("tab", "")
        length = self.headers.get("Content-Length", "")
        if self.headers.get_content_type() != "application/json" or not length.isdecimal() or int(length) > _LARGEST:
            raise _Refused(HTTPStatus.BAD_REQUEST)
        try:
            body = json.loads(self.rfile.read(int(length)))
            row, decision, label = (body.get(key) for key in ("row", "decision", "label"))
        except (ValueError, AttributeError, RecursionError):
            raise _Refused(HTTPStatus.BAD_REQUEST) from None
        if name == "undo":
            row = review.undo(tab)
            return self._json({"clip": None if row is None else review.clip(row), "ahead": [], "state": review.state()})
        if name == "skip":
            review.skip(tab, self._row(row))
        elif name == "decide":
            review.decide(tab, self._row(row), str(decision), label if isinstance(label, int) else -1)
        else:
            raise _Refused(HTTPStatus.NOT_FOUND)
        return self._next(tab)

    def _next(self, tab: str) -> tuple[str, bytes]:
        """Return the next clip of a tab; those after it are made ready meanwhile."""
        answer = self.server.review.next(tab)
        rows = [answer["clip"]["row"]] if answer["clip"] else []
        self.server.films.ahead(rows + answer["ahead"])
        return self._json(answer)

    def _json(self, value: Any) -> tuple[str, bytes]:
        return "application/json", json.dumps(value, allow_nan=False).encode()

    def _row(self, text: Any) -> int:
        """Return a row of the table."""
        if not str(text).isdecimal() or int(text) >= len(self.server.review.table.names):
            raise _Refused(HTTPStatus.NOT_FOUND)
        return int(text)
