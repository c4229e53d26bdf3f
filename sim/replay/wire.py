"""The socket of a capture: TCP or TLS, read without waiting, written at once."""

import socket
import ssl

from drycell.sim.broker.external import Address

TIMEOUT_S = 10.0
_READ_BYTES = 256 * 1024
_BATCH_BYTES = 4 * 1024 * 1024


class LostError(Exception):
    """The connection cannot be made or has ended; the text says why."""


class Wire:
    """A connection to ``address``, with TLS when there is a ``context``. Raises LostError when it cannot be made."""

    def __init__(self, address: Address, context: ssl.SSLContext | None) -> None:
        try:
            plain = socket.create_connection((address.host, address.port), TIMEOUT_S)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = plain if context is None else context.wrap_socket(plain, server_hostname=address.host)
        except OSError as error:
            reason = getattr(error, "verify_message", None) or error.strerror or str(error)
            raise LostError(f"the broker {address.host}:{address.port} cannot be reached ({reason})") from None

    def fileno(self) -> int:
        """For select."""
        return self._socket.fileno()

    def receive(self) -> bytes:
        """What has come, empty when nothing has. Raises LostError at the end of the connection."""
        self._socket.setblocking(False)
        pieces: list[bytes] = []
        size = 0
        while size < _BATCH_BYTES:
            try:
                piece = self._socket.recv(_READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                break
            except OSError as error:
                raise LostError(f"the connection broke ({error.strerror or error})") from None
            if not piece:
                if pieces:
                    break  # what came before the end is taken first
                raise LostError("the broker closed the connection")
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)

    def send(self, data: bytes) -> None:
        """Raises LostError when the broker takes nothing for TIMEOUT_S."""
        try:
            self._socket.settimeout(TIMEOUT_S)
            self._socket.sendall(data)
        except OSError as error:
            raise LostError(f"the connection broke ({error.strerror or error})") from None

    def close(self) -> None:
        """End it."""
        self._socket.close()
