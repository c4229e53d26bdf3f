"""The listening socket of an instrument."""

import socket

from drycell.sim.errors import DrycellError


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound, non-blocking TCP socket; port 0 takes a free one. Raises DrycellError if it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle off only for sockets that say they are TCP
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.setblocking(False)
    except (OSError, OverflowError) as error:
        listener.close()
        raise DrycellError(
            f"the instrument cannot listen on {host}:{port} ({error}); take another port, or 0 for any free one."
        ) from None
    return listener
