"""Where an answer ends on a byte stream: behind the newline that is in no block and in no quoted text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drycell.sim.inject.visa.link import end_of_element


def message_end(data: bytes) -> int:
    """Where the first message ends; -1 when it is not there as a whole."""
    at, last = 0, False
    while not last:
        at, last = end_of_element(bytearray(data), at)
        if at < 0:
            return -1
    return at


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"1.5\n", 4), (b"1.5", -1), (b"1;2\n3\n", 4), (b"#14\n\n\n\n\n", 8), (b"#14\n\n\n\n", -1), (b"#1", -1),
        (b"1;#13;\n,;2\n9\n", 11), (b'"a\nb"\n', 6), (b"\"it's\n\"\n", 8), (b'0,"No error"\n', 13), (b"#H1F\n", 5),
        (b"#0ab\n", 5), (b"#12a\n", -1), (b"#9x\n", -1), (b"\n", 1),
    ],
)  # fmt: skip
def test_where_a_message_ends(data: bytes, end: int) -> None:
    assert message_end(data) == end


ELEMENTS = st.one_of(
    st.from_regex(rb"[-+]?[0-9]{1,5}(\.[0-9]{1,3})?", fullmatch=True),
    st.binary(max_size=60).map(lambda block: b"#%d%d%s" % (len(str(len(block))), len(block), block)),
    st.binary(max_size=20).map(lambda text: b'"%s"' % text.replace(b'"', b'""')),
)


@given(st.lists(st.lists(ELEMENTS, min_size=1, max_size=4), min_size=1, max_size=3))
def test_messages_of_any_elements_are_told_apart(messages: list[list[bytes]]) -> None:
    sent = [b";".join(elements) + b"\n" for elements in messages]
    data = b"".join(sent)
    for message in sent:
        assert message_end(data[: len(message) - 1]) == -1
        assert message_end(data) == len(message)
        data = data[len(message) :]
