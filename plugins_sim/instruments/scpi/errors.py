"""The errors of SCPI-99 volume 2, chapter 21.8, as a table, and the exception that carries one."""

from types import MappingProxyType

NO_ERROR = '0,"No error"'
DETAIL_LIMIT = 200  # the standard allows 255 characters in all

TEXTS = MappingProxyType(
    {
        -100: "Command error",
        -101: "Invalid character",
        -102: "Syntax error",
        -103: "Invalid separator",
        -104: "Data type error",
        -108: "Parameter not allowed",
        -109: "Missing parameter",
        -112: "Program mnemonic too long",
        -113: "Undefined header",
        -114: "Header suffix out of range",
        -121: "Invalid character in number",
        -123: "Exponent too large",
        -124: "Too many digits",
        -128: "Numeric data not allowed",
        -131: "Invalid suffix",
        -138: "Suffix not allowed",
        -141: "Invalid character data",
        -148: "Character data not allowed",
        -151: "Invalid string data",
        -158: "String data not allowed",
        -161: "Invalid block data",
        -168: "Block data not allowed",
        -171: "Invalid expression",
        -178: "Expression data not allowed",
        -200: "Execution error",
        -211: "Trigger ignored",
        -221: "Settings conflict",
        -222: "Data out of range",
        -224: "Illegal parameter value",
        -230: "Data corrupt or stale",
        -241: "Hardware missing",
        -310: "System error",
        -350: "Queue overflow",
        -363: "Input buffer overrun",
        -430: "Query DEADLOCKED",
    }
)

# Event status bit by hundreds of the error number (SCPI-99 volume 2, section 21.8.2 and following).
_EVENT_BITS = {1: 32, 2: 16, 3: 8, 4: 4}


class Failure(Exception):  # noqa: N818  # the word "error" belongs to the queue's entries here
    """A command that cannot be carried out: ``code`` of TEXTS, ``detail`` for the reader.

    ``plain``: what the line-per-error profile says instead.
    """

    def __init__(self, code: int, detail: str = "", plain: str = "") -> None:
        super().__init__(code, detail)
        self.code, self.detail, self.plain = code, detail, plain


def entry(code: int, detail: str = "") -> str:
    """An error as the queue shows it: number, comma, quoted text with the detail after a semicolon."""
    shown = "".join(c if " " <= c <= "~" else "?" for c in detail[:DETAIL_LIMIT]).replace('"', "'")
    text = TEXTS.get(code, "Device-specific error")
    return f'{code},"{text};{shown}"' if shown else f'{code},"{text}"'


def event_bit(code: int) -> int:
    """The bit of the standard event status register that an error sets; positive numbers are device-specific."""
    return _EVENT_BITS.get(-code // 100, 8)
