"""Diagrams and timeout lists for the docs, drawn from the tables themselves."""

from drycell.runtime.protocol.table import ANY, Table


def mermaid(table: Table) -> str:
    """``table`` as a Mermaid state diagram; rows for every state are drawn from a node called ``any``."""
    lines = ["stateDiagram-v2", f"    [*] --> {table.initial}"]
    for row in table.transitions:
        source = "any" if row.state == ANY else row.state
        actions = f" / {', '.join(row.actions)}" if row.actions else ""
        lines.append(f"    {source} --> {row.next}: {row.event}{actions}")
    return "\n".join(lines)


def markdown(table: Table, title: str) -> str:
    """One section of the protocol page: diagram, published names and timeouts of ``table``."""
    lines = [f"## {title}", "", "```mermaid", mermaid(table), "```", ""]
    internal = [state for state in table.states if state not in table.published]
    renamed = [f"`{state}` as `{name}`" for state, name in table.published.items() if state != name]
    if internal:
        lines += [f"Never announced: {', '.join(f'`{state}`' for state in internal)}.", ""]
    if renamed:
        lines += [f"Announced under another name: {', '.join(renamed)}.", ""]
    if table.timeouts:
        lines += ["| in state | after | name | then | message |", "|---|---|---|---|---|"]
        lines += [
            f"| {t.state} | {t.seconds:g} s | `{t.name}` | {t.event} | {t.message} |" for t in table.timeouts
        ] + [""]
    return "\n".join(lines)
