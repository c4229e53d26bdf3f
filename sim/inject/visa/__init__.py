"""PyVISA backend ``@drycell``: any VISA resource name leads to a simulated instrument.

Rules:
1. ``DRYCELL_RESOURCES`` says where the instruments are: JSON, resource name -> ``host:port``. A TCPIP resource that
   is not named there is looked for at its own host (and port, or 5025), which the simulator may lead elsewhere.
2. GPIB, USB, VXI and TCPIP::INSTR sessions deal in messages: a write is one message, a read ends where one ends.
   SOCKET and ASRL sessions deal in bytes: a read ends at the termination character.
3. A serial instrument ends its answers as the program ends its commands: with CR, LF or both.
4. Timeouts are those of the program, in simulated time where that passes.
"""

from __future__ import annotations

import json
import os
from typing import Any

from pyvisa import attributes, constants, errors, highlevel, rname
from pyvisa.constants import ResourceAttribute, StatusCode
from pyvisa.util import LibraryPath

from .link import Link

RAW_PORT = 5025
INFINITE_MS = constants.VI_TMO_INFINITE
MESSAGE_AVAILABLE = 16
_IDENTITY: dict[int, Any] = {
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
            **_IDENTITY,
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


class DrycellVisaLibrary(highlevel.VisaLibraryBase):
    """What PyVISA calls."""

    names: list[str]
    resources: dict[str, tuple[str, int]]
    sessions: dict[int, Session | None]

    @staticmethod
    def get_library_paths() -> tuple[LibraryPath]:
        return (LibraryPath("drycell"),)

    @staticmethod
    def get_debug_info() -> dict[str, Any]:
        return {"Resources": sorted(json.loads(os.environ.get("DRYCELL_RESOURCES", "{}")))}

    def _init(self) -> None:
        told = json.loads(os.environ.get("DRYCELL_RESOURCES", "{}"))
        self.names = sorted(_canonical(name) for name in told)
        self.resources = {_canonical(name).upper(): _address(text) for name, text in told.items()}
        self.sessions = {}
        self._count = 0

    def _enter(self, session: Session | None) -> Any:
        self._count += 1
        self.sessions[self._count] = session
        return self._count

    def _session(self, session: Any) -> Session:
        found = self.sessions.get(session)
        if found is None:
            raise errors.VisaIOError(StatusCode.error_invalid_object)
        return found

    def _do(self, session: Any, action: Any) -> Any:
        """``action(session)``, its troubles as those of VISA."""
        try:
            return action(self._session(session))
        except TimeoutError:
            status = StatusCode.error_timeout
        except KeyError:
            status = StatusCode.error_nonsupported_attribute
        except OSError:
            status = StatusCode.error_connection_lost
        return self.handle_return_value(session, status)  # raises

    # sessions ------------------------------------------------------------------------------------------------------

    def open_default_resource_manager(self) -> tuple[Any, StatusCode]:
        session = self._enter(None)
        return session, self.handle_return_value(session, StatusCode.success)

    def open(
        self,
        session: Any,
        resource_name: str,
        access_mode: Any = constants.AccessModes.no_lock,
        open_timeout: int = constants.VI_TMO_IMMEDIATE,
    ) -> tuple[Any, StatusCode]:
        try:
            parsed = rname.parse_resource_name(resource_name)
        except rname.InvalidResourceName:
            return 0, self.handle_return_value(session, StatusCode.error_invalid_resource_name)
        address = self.resources.get(str(parsed).upper()) or _own_address(parsed)
        try:
            if address is None:
                raise ConnectionRefusedError
            made = Session(session, parsed, address, open_timeout or 5000)
        except OSError:
            return 0, self.handle_return_value(session, StatusCode.error_resource_not_found)
        number = self._enter(made)
        return number, self.handle_return_value(number, StatusCode.success)

    def close(self, session: Any) -> StatusCode:
        open_session = self.sessions.pop(session, None)
        if open_session is not None:
            open_session.close()
        return self.handle_return_value(None, StatusCode.success)

    def list_resources(self, session: Any, query: str = "?*::INSTR") -> tuple[str, ...]:
        return rname.filter(self.names, query)

    def get_attribute(self, session: Any, attribute: int) -> tuple[Any, StatusCode]:
        if session in self.sessions and self.sessions[session] is None:
            return _IDENTITY.get(ResourceAttribute(attribute), 0), self.handle_return_value(session, 0)
        value = self._do(session, lambda found: found.value(attribute))
        return value, self.handle_return_value(session, StatusCode.success)

    def set_attribute(self, session: Any, attribute: int, attribute_state: Any) -> StatusCode:
        self._do(session, lambda found: found.set(attribute, attribute_state))
        return self.handle_return_value(session, StatusCode.success)

    # talking -------------------------------------------------------------------------------------------------------

    def write(self, session: Any, data: bytes) -> tuple[int, StatusCode]:
        self._do(session, lambda found: found.write(bytes(data)))
        return len(data), self.handle_return_value(session, StatusCode.success)

    def read(self, session: Any, count: int) -> tuple[bytes, StatusCode]:
        data, status = self._do(session, lambda found: found.read(count))
        return data, self.handle_return_value(session, status)

    def read_stb(self, session: Any) -> tuple[int, StatusCode]:
        byte = self._do(session, Session.status_byte)
        return byte, self.handle_return_value(session, StatusCode.success)

    def assert_trigger(self, session: Any, protocol: Any) -> StatusCode:
        self._do(session, lambda found: found.link.send(b"*TRG\n", found.timeout_s))
        return self.handle_return_value(session, StatusCode.success)

    def clear(self, session: Any) -> StatusCode:
        self._do(session, lambda found: found.link.clear(5.0))
        return self.handle_return_value(session, StatusCode.success)

    def flush(self, session: Any, mask: Any) -> StatusCode:
        if mask & (constants.BufferOperation.discard_read_buffer | constants.VI_IO_IN_BUF_DISCARD):
            self._do(session, lambda found: found.link.take(found.link.waiting))
        return self.handle_return_value(session, StatusCode.success)

    # what one program alone on its bus never waits for -------------------------------------------------------------

    def lock(
        self, session: Any, lock_type: Any, timeout: int, requested_key: str | None = None
    ) -> tuple[str, StatusCode]:
        return requested_key or "", self.handle_return_value(session, StatusCode.success)

    def unlock(self, session: Any) -> StatusCode:
        return self.handle_return_value(session, StatusCode.success)

    def gpib_control_ren(self, session: Any, mode: Any) -> StatusCode:
        return self.handle_return_value(session, StatusCode.success)

    def gpib_send_ifc(self, session: Any) -> StatusCode:
        return self.handle_return_value(session, StatusCode.success)

    def disable_event(self, session: Any, event_type: Any, mechanism: Any) -> StatusCode:
        return self.handle_return_value(session, StatusCode.success)

    def discard_events(self, session: Any, event_type: Any, mechanism: Any) -> StatusCode:
        return self.handle_return_value(session, StatusCode.success)

    def enable_event(self, session: Any, event_type: Any, mechanism: Any, context: None = None) -> StatusCode:
        return self.handle_return_value(session, StatusCode.error_nonsupported_operation)


def _canonical(name: str) -> str:
    try:
        return str(rname.parse_resource_name(name))
    except rname.InvalidResourceName:
        return name


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def _own_address(parsed: Any) -> tuple[str, int] | None:
    """Where a TCPIP resource lies by its name; None for the others."""
    host = getattr(parsed, "host_address", None)
    return None if host is None else (host, int(getattr(parsed, "port", RAW_PORT)))


WRAPPER_CLASS = DrycellVisaLibrary
