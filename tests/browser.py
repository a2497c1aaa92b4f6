"""A real Chromium for tests of what people see and click.

`page` is a desk at 1440 pixels, `phone` a phone at 390; `window(...)` opens more, each somebody else's
browser. A test fails when its pages logged an error, ran into the Content-Security-Policy, failed to
load something, asked another host for anything, or could be scrolled sideways.

`python -m tests.browser` makes sure that there is a Chromium, and says what to do where there is none.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.servers import WebServer

if TYPE_CHECKING:  # loaded when a test opens a browser: it takes most of a second
    from playwright.sync_api import (
        Browser,
        BrowserContext,
        ConsoleMessage,
        Page,
        Request,
        Response,
    )

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",  # nothing leaves this machine
]
PATIENCE = 10_000  # milliseconds until a step that does not happen fails
DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
MISSING = "No Chromium for the browser tests: install one (apt-get install chromium) or name it in CHROMIUM."
SIDEWAYS = "document.scrollingElement.scrollWidth > document.scrollingElement.clientWidth"

Window = Callable[..., "Page"]


def find_chromium() -> str | None:
    """The first of $CHROMIUM, the system's own and Playwright's."""
    given = os.environ.get("CHROMIUM")
    if given:
        return given if os.access(given, os.X_OK) else None
    for name in NAMES:
        found = shutil.which(name, path=f"/usr/bin{os.pathsep}{os.environ.get('PATH', '')}")
        if found:
            return found
    from playwright.sync_api import Error, sync_playwright

    with suppress(Error), sync_playwright() as playwright:
        if Path(playwright.chromium.executable_path).exists():
            return playwright.chromium.executable_path
    return None


class Watch:
    """Notes every fault of one browser window."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.faults: list[str] = []

    def over(self, context: "BrowserContext") -> None:
        context.on("console", self._console)
        context.on("weberror", lambda error: self.faults.append(f"script failed: {error.error}"))
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)

    def _console(self, message: "ConsoleMessage") -> None:
        # What failed to load is judged by its response: a refused form answers 422 on purpose.
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            self.faults.append(f"console {message.type}: {message.text}")

    def _request(self, request: "Request") -> None:
        parts = urlsplit(request.url)
        if (
            parts.scheme in {"http", "https", "ws", "wss"}
            and f"{parts.scheme}://{parts.netloc}" != self.origin
        ):
            self.faults.append(f"asked another host: {request.url}")

    def _failed(self, request: "Request") -> None:
        if request.failure != "net::ERR_ABORTED":  # the person went on, or it became a download
            self.faults.append(f"failed to load {request.url}: {request.failure}")

    def _response(self, response: "Response") -> None:
        is_page = response.request.is_navigation_request()
        if response.status >= 500 or (response.status >= 400 and not is_page):
            self.faults.append(f"{response.status} from {response.url}")


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    """One Chromium for all tests of a worker."""
    executable = find_chromium()
    if not executable:
        pytest.fail(MISSING, pytrace=False)
    from playwright.sync_api import sync_playwright

    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*FLAGS, *as_root])
        yield browser
        browser.close()


@pytest.fixture
def window(chromium: "Browser", live: WebServer) -> Iterator[Window]:
    """Opens browsers: `window(width=1440, height=900, javascript=True, dark=False, phone=False)`."""
    from playwright.sync_api import Error

    opened: list[tuple[BrowserContext, Watch]] = []

    def open_window(
        *,
        width: int = DESK["width"],
        height: int = DESK["height"],
        javascript: bool = True,
        dark: bool = False,
        phone: bool = False,
        **options: Any,
    ) -> "Page":
        context = chromium.new_context(
            base_url=live.url,
            viewport={"width": width, "height": height},
            java_script_enabled=javascript,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            is_mobile=phone,
            has_touch=phone,
            **{"locale": "en-US", "timezone_id": "UTC", **options},
        )
        context.set_default_timeout(PATIENCE)
        watch = Watch(live.url)
        watch.over(context)
        opened.append((context, watch))
        return context.new_page()

    yield open_window
    faults: list[str] = []
    for context, watch in opened:
        for page in context.pages:
            with suppress(Error):  # a page without JavaScript cannot be asked
                if page.url.startswith(live.url) and page.evaluate(SIDEWAYS):
                    watch.faults.append(f"{page.url} can be scrolled sideways")
        context.close()
        faults += watch.faults
    if faults:
        pytest.fail("The browser complained:\n- " + "\n- ".join(faults), pytrace=False)


@pytest.fixture
def page(window: Window) -> "Page":
    """A desk: 1440 pixels wide."""
    return window()


@pytest.fixture
def phone(window: Window) -> "Page":
    """A phone: 390 pixels wide, with touch."""
    return window(phone=True, **PHONE)


def main() -> int:
    """Make sure that there is a Chromium, with apt-get where we may."""
    if find_chromium():
        return 0
    if os.environ.get("CHROMIUM"):
        print(f"CHROMIUM names {os.environ['CHROMIUM']}, which cannot be run.", file=sys.stderr)
        return 1
    may = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if shutil.which("apt-get") and (not may or shutil.which("sudo")):
        print("Installing Chromium for the browser tests (apt-get install chromium).", flush=True)
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-qq", "-y", "chromium"]):
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run([*may, *command], env=environment, stdout=subprocess.DEVNULL, check=False)
        if find_chromium():
            return 0
    print(MISSING, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
