"""Results for people: the bin table, the verdict and where everything is; 80 columns are enough."""

from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.columns import Columns
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from drycell.sim.cell.result import OracleResult, RunResult
from drycell.sim.cell.tally import Tally
from drycell.sim.cli.output import console
from drycell.sim.runs import Run

_SITE_COLUMNS = 4
_AMBIENT = {"violated": "violated", "holds": "hold", "unknown": "unknown"}
_COLOURS = {"holds": "green", "violated": "red", "unknown": "yellow"}


def print_run(name: str, run: Run, result: RunResult | None, tally: Tally) -> None:
    """Everything about one run, on stdout: bins, yield, oracles, problems, run directory."""
    out = console()
    out.print(_headline(name, run, result))
    if result is not None:
        out.print(
            f"rung {result.rung}, pace {result.pace}, seed {result.seed},"
            f" {result.virtual_s:.1f} s simulated in {result.wall_s:.1f} s",
            style="dim",
        )
    if tally.parts:
        out.print(bin_table(tally, {} if result is None else dict(result.soft_bin_names)))
        _print_sites(out, tally)
    if result is not None:
        _print_oracles(out, result.oracles)
        for problem in result.problems:
            out.print(f"problem: {escape(problem)}", style="yellow", soft_wrap=True)
        if not result.deterministic:
            out.print("not deterministic: another run of this scenario may differ", style="yellow", soft_wrap=True)
        if result.stdf_path is not None:
            out.print(f"STDF: {escape(str(result.stdf_path))}", soft_wrap=True)
    out.print(f"run directory: {escape(str(run.path))}", soft_wrap=True)
    if run.blocked.is_file():
        text = "a program has slept or waited in C code, outside of simulated time: blocked.txt there says where"
        out.print(text, style="yellow", soft_wrap=True)


def bin_table(tally: Tally, names: dict[int, str]) -> Table:
    """Bins with their count per site and share; the last line is the yield."""
    sites = sorted(tally.sites)
    shown = sites if len(sites) <= _SITE_COLUMNS else []
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=True)
    table.add_column("Soft bin", justify="right")
    table.add_column("Hard bin", justify="right")
    table.add_column("Name", footer="Yield", min_width=12, max_width=24, no_wrap=True, overflow="ellipsis")
    for site in shown:
        table.add_column(f"Site {site}", footer=_percent(tally.yield_of(site)), justify="right")
    table.add_column("Devices", footer=str(tally.parts), justify="right")
    table.add_column("Share", footer=_percent(tally.yield_), justify="right")
    for row, counts in tally.table().items():
        total = counts.total()
        soft = "-" if row.soft_bin is None else str(row.soft_bin)
        name = "" if row.soft_bin is None else names.get(row.soft_bin, "")
        cells = [str(counts[site]) for site in shown]
        table.add_row(soft, str(row.hard_bin), escape(name), *cells, str(total), _percent(total / tally.parts))
    return table


def _print_sites(out: Console, tally: Tally) -> None:
    """With many sites: their yields below the table, since columns would not fit."""
    sites = sorted(tally.sites)
    if len(sites) > _SITE_COLUMNS:
        shares = [f"{site}: {_percent(tally.yield_of(site))}" for site in sites]
        out.print("yield by site")
        out.print(Columns(shares, padding=(0, 3)))
        out.print()


def _headline(name: str, run: Run, result: RunResult | None) -> str:
    if result is not None:
        colour = _COLOURS[result.verdict]
        return f"[bold]{escape(name)}[/bold]: [{colour}]{result.verdict}[/{colour}]"
    failure = run.failure()
    why = f": {failure['text']}" if failure and failure.get("text") != "interrupted" else ""
    return f"[bold]{escape(name)}[/bold]: [red]{run.state()}[/red]{escape(why)}"


def _print_oracles(out: Console, oracles: Sequence[OracleResult]) -> None:
    if not oracles:
        return
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column()
    listed = [oracle for oracle in oracles if oracle.required or oracle.verdict == "violated"]
    for oracle in sorted(listed, key=lambda oracle: not oracle.required):
        colour = _COLOURS[oracle.verdict]
        proof = f" \\[{_events(oracle.evidence)}]" if oracle.evidence and oracle.verdict == "violated" else ""
        table.add_row(f"[{colour}]{oracle.verdict}[/{colour}]", escape(oracle.name), f"{escape(oracle.text)}{proof}")
    if listed:
        out.print(table)
    ambient = [oracle for oracle in oracles if not oracle.required]
    if ambient:
        out.print(_ambient(ambient))
    out.print()


def _ambient(oracles: Sequence[OracleResult]) -> str:
    """One line about the oracles that nobody asked for; those that were never put to the test are named."""
    count: Counter[str] = Counter(oracle.verdict for oracle in oracles)
    parts = [f"{count[verdict]} {word}" for verdict, word in _AMBIENT.items() if count[verdict]]
    unknown = ", ".join(oracle.name for oracle in oracles if oracle.verdict == "unknown")
    return f"ambient oracles: {', '.join(parts)}{f' ({escape(unknown)})' if unknown else ''}"


def _events(evidence: Sequence[int]) -> str:
    shown = ", ".join(str(seq) for seq in evidence[:4])
    return f"event {shown}" + (", ..." if len(evidence) > 4 else "")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
