"""One open VISA resource: what its attributes are, what a write sends and where a read ends.

Rules:
1. GPIB, USB, VXI and TCPIP::INSTR sessions deal in messages: a write is one message, a read ends where one ends.
   SOCKET and ASRL sessions deal in bytes: a read ends at the termination character.
2. A serial instrument ends its answers as the program ends its commands: with CR, LF or both.
3. Timeouts are those of the program, in simulated time where that passes.
"""

from __future__ import annotations

from typing import Any

from pyvisa import attributes, constants
from pyvisa.constants import ResourceAttribute, StatusCode

from .link import Link

INFINITE_MS = constants.VI_TMO_INFINITE
MESSAGE_AVAILABLE = 16
IDENTITY: dict[int, Any] = {
    ResourceAttribute.resource_manufacturer_name: "drycell",
    ResourceAttribute.resource_spec_version: 0x500000,
    ResourceAttribute.resource_impl_version: 1,
}
_PARTS = {  # part of a resource name -> attribute
    "board": ResourceAttribute.interface_number,
    "interface": ResourceAttribute.interface_number,
    "primary_address": ResourceAttribute.gpib_primary_address,
    "secondary_address": ResourceAttribute.gpib_secondary_address,
    "host_address": ResourceAttribute.tcpip_address,
    "port": ResourceAttribute.tcpip_port,
    "serial_number": ResourceAttribute.usb_serial_number,
}
_TEXTS = (ResourceAttribute.tcpip_address, ResourceAttribute.usb_serial_number)


class Session:
    """An open resource. ``link`` is its connection; a second one asks for the status, as a serial poll does."""

    def __init__(self, manager: int, parsed: Any, address: tuple[str, int], timeout_ms: int) -> None:
        self.kind = (parsed.interface_type_const, parsed.resource_class)
        self.is_serial = parsed.interface_type_const == constants.InterfaceType.asrl
        self.is_stream = self.is_serial or parsed.resource_class == "SOCKET"
        self.values: dict[int, Any] = {
            **IDENTITY,
            ResourceAttribute.resource_name: str(parsed),
            ResourceAttribute.resource_class: parsed.resource_class,
            ResourceAttribute.resource_manager_session: manager,
            ResourceAttribute.interface_type: parsed.interface_type_const,
            ResourceAttribute.timeout_value: 2000,
        }
        for name, attribute in _PARTS.items():
            text = str(getattr(parsed, name, ""))
            if text.isdigit() or (text and attribute in _TEXTS):
                self.values[attribute] = text if attribute in _TEXTS else int(text)
        self._address = address
        self._poll: Link | None = None
        self._unsent = b""
        self._line_end = b"\n"
        self.link = Link(*address, timeout_ms / 1000.0)

    @property
    def timeout_s(self) -> float | None:
        milliseconds = self.values[ResourceAttribute.timeout_value]
        return None if milliseconds == INFINITE_MS else milliseconds / 1000.0

    def value(self, attribute: int) -> Any:
        """The state of an attribute. KeyError for one that this kind of session does not have."""
        if attribute in self.values:
            return self.values[attribute]
        if attribute == constants.VI_ATTR_ASRL_AVAIL_NUM and self.is_serial:
            return self.link.waiting
        known = attributes.AttributesByID[attribute]
        if not known.in_resource(self.kind) or known.default is attributes.NotAvailable:
            raise KeyError(attribute)
        return known.default

    def set(self, attribute: int, state: Any) -> None:
        """Set an attribute. KeyError for one that this kind of session does not have or that is read only."""
        known = attributes.AttributesByID[attribute]
        if not known.write or not known.in_resource(self.kind):
            raise KeyError(attribute)
        self.values[attribute] = state

    def close(self) -> None:
        """End all connections."""
        self.link.close()
        if self._poll is not None:
            self._poll.close()

    def write(self, data: bytes) -> None:
        """Send bytes; on a bus they are kept until the message is complete."""
        if self.is_serial:
            if data[-1:] in (b"\r", b"\n"):
                self._line_end = b"\r\n" if data.endswith(b"\r\n") else data[-1:]
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        elif not self.is_stream:
            self._unsent += data
            if not self.value(ResourceAttribute.send_end_enabled):
                return
            data, self._unsent = self._unsent.rstrip(b"\r\n") + b"\n", b""
        self.link.send(data, self.timeout_s)

    def read(self, count: int) -> tuple[bytes, StatusCode]:
        """At most ``count`` bytes, and why no more."""
        if self.is_stream:
            return self._read_stream(count)
        end = self.link.message_end(count, self.timeout_s)
        size, status = (end, StatusCode.success) if 0 < end <= count else (count, StatusCode.success_max_count_read)
        mark = self.link.find(self.value(ResourceAttribute.termchar), size) if self._stops_at_mark() else -1
        if 0 <= mark < size - 1 or (mark == size - 1 and status != StatusCode.success):
            size, status = mark + 1, StatusCode.success_termination_character_read
        return self.link.take(size), status

    def _read_stream(self, count: int) -> tuple[bytes, StatusCode]:
        mark = self.value(ResourceAttribute.termchar) if self._stops_at_mark() else None
        if self.is_serial and mark is not None and mark in self._line_end:
            mark = 10  # what ends a line of the instrument
        end = self.link.stream_end(count, mark, self.timeout_s)
        if not 0 < end <= count:
            return self.link.take(count), StatusCode.success_max_count_read
        data = self.link.take(end)
        if self.is_serial and data.endswith(b"\n"):
            data = data[:-1] + self._line_end
        return data, StatusCode.success_termination_character_read

    def _stops_at_mark(self) -> bool:
        if self.is_serial:
            ends: int = self.value(ResourceAttribute.asrl_end_in)
            return ends == constants.SerialTermination.termination_char
        return bool(self.value(ResourceAttribute.termchar_enabled))

    def status_byte(self) -> int:
        """What a serial poll reads."""
        if self._poll is None:
            self._poll = Link(*self._address, 5.0)
        self._poll.send(b"*STB?\n", self.timeout_s)
        end = self._poll.message_end(constants.VI_TMO_INFINITE, self.timeout_s)
        try:
            byte = int(self._poll.take(end))
        except ValueError:
            byte = 0
        return (byte & 0xFF) | (MESSAGE_AVAILABLE if self.link.waiting else 0)
