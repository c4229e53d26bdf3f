"""A headless Chromium driven over its DevTools protocol, as far as tests and measurements of the report need it."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.debian import program

NAMES = ("google-chrome", "chrome", "chromium-browser")
START_LIMIT_S = 60.0


def chromium() -> str:
    """The browser's path; Debian's package is installed when there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None) or program("chromium", "chromium")


class Page:
    """One open page."""

    def __init__(self, link: ClientConnection) -> None:
        self._link = link
        self._count = 0
        self.log: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its answer; what the page reports meanwhile is kept."""
        self._count += 1
        self._link.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._link.recv(timeout=120))
            if message.get("id") == self._count:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.log.append(str(parameters["exceptionDetails"].get("exception", {}).get("description")))
        elif message.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.log.append(parameters["entry"]["text"])
        elif message.get("method") == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])

    def open(self, path: Path, *, anchor: str = "", dark: bool = False, width: int = 1320, height: int = 900) -> None:
        """Open a report and wait until it has drawn itself."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Page.navigate", url="about:blank")
        self.requests.clear()
        self.call("Page.navigate", url=path.resolve().as_uri() + anchor)
        deadline = time.monotonic() + START_LIMIT_S
        while self.run("document.documentElement?.dataset.ready ?? null") is None:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{path} was not ready within {START_LIMIT_S:g} s; it said {self.log}")
            self.run("new Promise((done) => setTimeout(done, 20))")

    def run(self, script: str) -> Any:
        """The value of an expression; promises are awaited."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"].get("exception", {}).get("description")))
        return answer["result"].get("value")

    def key(self, key: str) -> None:
        """Press a key."""
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def settle(self) -> None:
        """Wait for two frames."""
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def picture(self, path: Path, *, full: bool = True) -> None:
        """Save what is to be seen as PNG."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=full)["data"]
        path.write_bytes(base64.b64decode(data))


@contextmanager
def browser() -> Iterator[Page]:
    """A page of a fresh browser with a profile of its own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="drycell-browser-", ignore_cleanup_errors=True) as profile:
        words = [chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
        words += ["--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update"]
        words += [f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank"]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                with connect(_address(Path(profile), process), max_size=None, open_timeout=30) as link:
                    yield Page(link)
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()


def _address(profile: Path, process: "subprocess.Popen[bytes]") -> str:
    """Where the browser's first page listens."""
    deadline, ports = time.monotonic() + START_LIMIT_S, profile / "DevToolsActivePort"
    while time.monotonic() < deadline and process.poll() is None:
        try:
            port = ports.read_text("utf-8").split("\n")[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
                pages = [entry for entry in json.load(answer) if entry["type"] == "page"]
            return str(pages[0]["webSocketDebuggerUrl"])
        except (OSError, IndexError, ValueError):
            time.sleep(0.05)
    raise RuntimeError("Chromium did not start")
