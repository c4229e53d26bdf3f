"""PyVISA backend ``@drycell``: any VISA resource name leads to a simulated instrument.

``DRYCELL_RESOURCES`` says where the instruments are: JSON, resource name -> ``host:port``. A TCPIP resource that is
not named there is looked for at its own host (and port, or 5025), which the simulator may lead elsewhere.
"""

from __future__ import annotations

import json
import os
from typing import Any

from pyvisa import constants, errors, highlevel, rname
from pyvisa.constants import ResourceAttribute, StatusCode
from pyvisa.util import LibraryPath

from .session import IDENTITY, Session

RAW_PORT = 5025


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
            return IDENTITY.get(ResourceAttribute(attribute), 0), self.handle_return_value(session, 0)
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
