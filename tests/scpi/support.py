"""A bench with a clock in the test's hand."""

from collections.abc import Mapping
from typing import Any

from drycell.plugins_sim.instruments.bench import Bench, make_bench
from drycell.plugins_sim.instruments.scpi import Command, Identity, Number, ScpiInstrument, number


class Rig:
    """``ask(name, message)`` asks in-process; ``after(seconds)`` lets time pass."""

    def __init__(self, data: Mapping[str, Any] | None = None, **more: Any) -> None:
        self.now_ns = 0
        self.bench: Bench = make_bench({**(data or {}), **more}, lambda: self.now_ns)

    def ask(self, name: str, message: str) -> str:
        return self.bench.ask(name, message)

    def value(self, name: str, message: str) -> float:
        return float(self.ask(name, message))

    def after(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)

    def wait(self, name: str, message: str) -> str:
        """Ask as over a wire: after the latency."""
        self.now_ns += self.bench.served[name].latency_ns(message.encode())
        return self.ask(name, message)

    def error(self, name: str) -> str:
        return self.ask(name, "SYST:ERR?")

    def power_up(self, volts: float = 5.0, amperes: float = 0.1) -> "Rig":
        """Supply and load on."""
        assert self.ask("psu", f"VOLT {volts};:OUTP ON") == ""
        assert self.ask("load", f"CURR {amperes};:INP ON") == ""
        return self


def voltmeter() -> ScpiInstrument:
    """A small instrument for tests of the language."""
    state = {"level": 0.0}

    def put(call: Any) -> None:
        state["level"] = call[0]

    def shown(value: float) -> str:
        return number(value, 3)

    return ScpiInstrument(
        Identity("TOY", "7"),
        (
            Command(
                "[SOURce]:VOLTage[:LEVel][:IMMediate]", put, lambda call: shown(state["level"]),
                (Number("V", -10.0, 60.0, 1.5),), show=shown,
            ),
            Command("MEASure:VOLTage[:DC]", ask=lambda call: shown(state["level"])),
            Command("MEASure:CURRent[:DC]", ask=lambda call: "0.001"),
            Command("OUTPut#:GAIN", lambda call: state.update(gain=call.suffixes[0]),
                    lambda call: str(call.suffixes[0])),
            Command("CRASh", ask=lambda call: str(1 // 0)),
        ),
        reset=lambda: state.update(level=0.0),
        now_ns=lambda: 0,
    )  # fmt: skip
