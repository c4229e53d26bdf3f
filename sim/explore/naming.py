"""What a person would call a scenario in which a promise is broken. Pure."""

from drycell.sim.explore.removals import Data

LONGEST = 200


def named(data: Data, oracle: str) -> str:
    """``broken after kill and reset: the cell comes back``, from the events of ``data`` and the oracle's name."""
    deeds = list(dict.fromkeys(word for step in data.get("timeline", ()) for word in _deeds(step["do"])))
    told = " and ".join(part for part in (", ".join(deeds[:-1]), *deeds[-1:]) if part)
    return f"broken {f'after {told}' if told else 'in a plain lot'}: {oracle}"[:LONGEST]


def _deeds(do: Data) -> list[str]:
    verb, what = next(iter(do.items()))
    if verb == "options":
        return [name.replace("_", " ") for name in what]
    if verb == "operator":
        return [str(what.get("command") or next(iter(what)))] if isinstance(what, dict) else [str(what)]
    return [verb.replace("_", " ")]
