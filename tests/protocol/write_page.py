"""Write docs/protocol.md from the protocol tables."""

from pathlib import Path

from drycell.runtime.protocol import quirks
from drycell.runtime.protocol.diagram import markdown
from drycell.runtime.protocol.semi_ate import CONTROL, HANDLER, MASTER, SEQUENCER

HEAD = """# The protocol of dialect `semi-ate`

Master, control, handler and test programs talk over MQTT 3.1.1 in JSON. What each may do stands in one table per
role (`runtime/protocol/semi_ate.py`). The simulated peers execute these tables, the oracles check announcements
against them, and this page is generated from them (`python tests/protocol/write_page.py`). Timeouts can be
overridden by name in a scenario: `cell: {timeouts: {loading_s: 20}}`.

A row reads `from --> to: event / actions`; `any` stands for every state without a row of its own for that event.
Actions run before the new state is announced, so a command leaves before the state change it causes.

"""
QUIRKS = """## Quirks

The real packages (1.0.17) have known defects. drycell's peers are correct; each real behaviour can be switched on by
name, `cell: {quirks: [control-swallows-failure-after-reset]}`, for instance to replay what a floor does.

"""


def main() -> None:
    sections = [markdown(table) for table in (MASTER, CONTROL, SEQUENCER, HANDLER)]
    page = HEAD + "\n".join(sections) + "\n" + QUIRKS + quirks.markdown() + "\n"
    (Path(__file__).parents[2] / "docs" / "protocol.md").write_text(page, "utf-8")


if __name__ == "__main__":
    main()
