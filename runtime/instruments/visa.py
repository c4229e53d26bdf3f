"""The way through VISA, for GPIB, USB, serial and LAN instruments: needs the optional extra ``visa``."""

import importlib
from typing import Any

from drycell.runtime.instruments.errors import InstrumentError, NotConnectedError
from drycell.runtime.instruments.transports import Transport


class VisaTransport(Transport):
    """A VISA resource. ``library``: PyVISA's backend, empty for its default. ``timeout`` in seconds."""

    def __init__(self, resource: str, timeout: float = 5.0, library: str = "") -> None:
        if not resource:
            raise ValueError("a VISA resource has a name such as TCPIP::10.0.0.5::INSTR")
        self.resource, self.timeout, self._library = resource, timeout, library
        self._session: Any = None
        self._errors: type[Exception] = OSError

    def __repr__(self) -> str:
        return f"VisaTransport({self.resource}, {'connected' if self.is_connected else 'not connected'})"

    @property
    def is_connected(self) -> bool:
        return self._session is not None

    def connect(self) -> None:
        if self._session is not None:
            raise NotConnectedError(f"{self.resource} is connected already")
        try:
            pyvisa: Any = importlib.import_module("pyvisa")
        except ImportError:
            raise InstrumentError(
                f"{self.resource} needs PyVISA, which is not installed; run: pip install 'drycell[visa]'"
            ) from None
        self._errors = pyvisa.errors.VisaIOError
        try:
            session = pyvisa.ResourceManager(self._library).open_resource(self.resource)
        except (self._errors, OSError, ValueError) as error:
            raise NotConnectedError(f"{self.resource} cannot be reached ({error})") from error
        session.read_termination = session.write_termination = "\n"
        session.timeout = self.timeout * 1000.0
        self._session = session

    def disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            try:
                session.close()
            except (self._errors, OSError):
                pass

    def write(self, command: str) -> None:
        self._do(lambda session: session.write(command), None)

    def read(self, timeout: float | None = None) -> str:
        return str(self._do(lambda session: session.read(), timeout)).strip()

    def read_block(self, timeout: float | None = None) -> bytes:
        def read(session: Any) -> bytes:
            return bytes(session.read_binary_values(datatype="B", container=bytes))

        data: bytes = self._do(read, timeout)
        return data

    def _do(self, action: Any, timeout: float | None) -> Any:
        session = self._session
        if session is None:
            raise NotConnectedError(f"{self.resource} is not connected; call connect() first")
        if timeout is not None:
            session.timeout = timeout * 1000.0
        try:
            return action(session)
        except self._errors as error:
            if "TMO" in str(error):
                session.clear()  # so that a late answer is not taken for the next one
                raise TimeoutError(f"{self.resource} did not answer in time") from error
            raise InstrumentError(f"{self.resource}: {error}") from error
        finally:
            session.timeout = self.timeout * 1000.0
