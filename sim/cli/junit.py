"""The verdict as JUnit XML, for machines that count tests: one test case per oracle."""

from pathlib import Path
from xml.etree import ElementTree

from drycell.sim.cell.result import RunResult
from drycell.sim.errors import DrycellError


def write_junit(path: Path, name: str, result: RunResult) -> None:
    """Write ``result``: violated is a failure, a required unknown an error, an ambient unknown skipped.

    Raises DrycellError when ``path`` cannot be written.
    """
    suite = ElementTree.Element("testsuite", name=name, time=f"{result.wall_s:.3f}")
    count = {"tests": len(result.oracles), "failures": 0, "errors": 0, "skipped": 0}
    for oracle in result.oracles:
        case = ElementTree.SubElement(suite, "testcase", classname=f"drycell.{name}", name=oracle.name)
        text = f"{oracle.text} (events {', '.join(map(str, oracle.evidence))})" if oracle.evidence else oracle.text
        kind = {"violated": "failure", "unknown": "error" if oracle.required else "skipped"}.get(oracle.verdict)
        if kind is not None:
            ElementTree.SubElement(case, kind, message=text)
            count[f"{kind}s" if kind != "skipped" else kind] += 1
    for key, value in count.items():
        suite.set(key, str(value))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise DrycellError(f"{path} cannot be written ({error.strerror}); name another file with --junit") from None
