"""How verdicts become one soft bin, by the rule of the runtime packages. Pure."""


def select_bin(current: int, new: int) -> int:
    """The soft bin after a further verdict ``new`` (-1: none). Fail bins (>= 10) stick, grades 1..9 only fall."""
    if current == -1:
        return new
    if new == 0:
        return current if current >= 10 else new
    if 1 <= current <= 9 and (new >= 10 or (1 <= new <= 9 and current < new)):
        return new
    return current
