"""A headless Chromium for tests of pages; everything it asks for is written down."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@dataclass
class Browser:
    """Opens pages; `asked` are the addresses that they asked for, `errors` what their consoles said."""

    chromium: object
    asked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    contexts: list = field(default_factory=list)

    def open(self, address: str, width: int = 1280, scheme: str = "light"):
        """Return a page of this width."""
        context = self.chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)
        page.goto(address)
        return page

    def close(self) -> None:
        """Close all pages."""
        for context in self.contexts:
            context.close()


@contextlib.contextmanager
def start_browser() -> Iterator[object]:
    """Start Chromium, or skip the test where it or Playwright is absent."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        pytest.skip("needs Debian's chromium")
    with api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=program, args=FLAGS)
        yield chromium
        chromium.close()


def wait_until(page, expression: str, seconds: float = 15.0) -> None:
    """Wait until an expression is true; Playwright's own way would need scripts that the pages forbid."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never true: {expression}"
        page.wait_for_timeout(30)


def overflow(page) -> int:
    """Return by how many pixels a page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
