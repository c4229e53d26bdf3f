"""What several stories of this room need."""

import socketserver
import threading
from collections.abc import Iterator

import pytest


class _Identity(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            if line.strip() == b"*IDN?":
                self.wfile.write(b"somebody,supply,1,elsewhere\n")


@pytest.fixture
def served() -> Iterator[str]:
    """The address of an instrument that knows its name."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Identity) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
