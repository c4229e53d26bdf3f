"""Socket pairs and name look-ups: only ``hosts:`` of the scenario, local names and literal addresses are known."""

from __future__ import annotations

import _socket

from . import links, real

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_INET = (_socket.AF_INET, _socket.AF_INET6)


def socketpair(*args: int) -> tuple[Any, Any]:
    """``_socket.socketpair``; both ends are in this process."""
    pair = real.socketpair(*args)
    links.internal.update(end.fileno() for end in pair)
    return pair


def getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
    """``_socket.getaddrinfo``: addresses of ``hosts:``, local names and literal addresses; nothing else."""
    found = links.resolve(host, port)
    if found is not None:
        kind = type or _socket.SOCK_STREAM
        return [(_socket.AF_INET, kind, proto or _socket.IPPROTO_TCP, "", found)]
    name = host.decode() if isinstance(host, bytes) else host
    if name not in (None, "", "localhost") and not _literal(name):
        links.report("outside", f"name look-up of {name!r}, which is no simulated instrument; name it under hosts:")
        raise _socket.gaierror(_socket.EAI_NONAME, "Name or service not known")
    return real.getaddrinfo(host, port, family, type, proto, flags)


def gethostbyname(host: str) -> str:
    """``_socket.gethostbyname`` on the same table."""
    return str(getaddrinfo(host, 0, _socket.AF_INET)[0][4][0])


def _literal(name: str) -> bool:
    for family in _INET:
        try:
            _socket.inet_pton(family, name.partition("%")[0])
        except OSError:
            continue
        return True
    return False


def install(hostname: str) -> None:
    """Replace the look-ups of the C layer; call before ``socket`` is imported."""
    _socket.socketpair = staticmethod(socketpair)
    _socket.getaddrinfo = staticmethod(getaddrinfo)
    _socket.gethostbyname = staticmethod(gethostbyname)
    if hostname:
        _socket.gethostname = staticmethod(lambda: hostname)
