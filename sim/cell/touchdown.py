"""Book-keeping of one touchdown in the master: who is released, who tests, whose result is in. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class Touchdown:
    """One ``next`` and what came back. ``results``: site -> its PRR, in order of arrival."""

    sites: tuple[str, ...] = ()
    sites_info: Sequence[Json] = ()
    testing: set[str] = field(default_factory=set)
    results: dict[str, Json] = field(default_factory=dict)

    @property
    def all_testing(self) -> bool:
        return self.testing >= set(self.sites)

    @property
    def all_results(self) -> bool:
        return self.results.keys() >= set(self.sites)

    @property
    def waiting(self) -> tuple[str, ...]:
        """Sites whose result is still missing."""
        return tuple(site for site in self.sites if site not in self.results)

    def part_of(self, site: str) -> str | None:
        """The part id that was sent to ``site``; None when it was sent none."""
        return next((str(info.get("partid")) for info in self.sites_info if info.get("siteid") == site), None)

    def answer(self) -> list[Json]:
        """What the handler is told, in order of arrival: the hard bin of each device."""
        sent = {info["siteid"]: info for info in self.sites_info}
        return [
            {
                "siteid": site,
                "partid": prr["PART_ID"],
                "binning": prr["HARD_BIN"],
                "logflag": sent.get(site, {}).get("logflag", 0),
                "additionalinfo": sent.get(site, {}).get("additionalinfo", 0),
            }
            for site, prr in self.results.items()
        ]


def part_result(payload: Any, site: str, sent: str | None = None) -> Json:
    """The PRR of one device's records. Raises ValueError in one sentence when the records are not one device's.

    ``sent``: the part id that the site was told to test, None when nothing is known of it.
    """
    if not isinstance(payload, list) or not all(issubclass(kind, dict) for kind in set(map(type, payload))):
        raise ValueError(f"the result of site {site} is not a list of records")
    parts = [record for record in payload if record.get("type") == "PRR"]
    if len(parts) != 1:
        raise ValueError(f"the result of site {site} holds {len(parts)} PRR records instead of one")
    missing = {"PART_ID", "HARD_BIN", "SOFT_BIN", "PART_FLG", "SITE_NUM"} - parts[0].keys()
    if missing:
        raise ValueError(f"the PRR of site {site} lacks {', '.join(sorted(missing))}")
    part: Json = parts[0]
    if sent is not None and str(part["PART_ID"]) != sent:
        raise ValueError(
            f"the result of site {site} is of part {part['PART_ID']}, but part {sent} is in contact there"
        )
    return part
