"""Where programs look for instruments: environment variables, and addresses inside of VISA resource names."""

import re
from collections.abc import Iterator, Mapping

_ON_TCP = re.compile(
    r"TCPIP\d*::(?P<host>[^:\s]+)(::(?P<port>\d{1,5})::SOCKET|(::(?!SOCKET)[^:\s]+)?(::INSTR)?)", re.IGNORECASE
)


def variable_of(name: str) -> str:
    """The environment variable that tells a program the address of the instrument ``name``."""
    return f"DRYCELL_{re.sub(r'[^A-Za-z0-9]', '_', name).upper()}"


def fixed_addresses(resources: Mapping[str, str]) -> Iterator[tuple[str, int, str]]:
    """Host, port (0: every one) and instrument of those resources that lie on a TCP address."""
    for resource, name in resources.items():
        found = _ON_TCP.fullmatch(resource.strip())
        if found is not None:
            yield found["host"], int(found["port"] or 0), name
