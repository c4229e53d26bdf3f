"""Promise about topics: every program keeps to those of its own site.

The programs of a Semi-ATE cell cannot use credentials, so a client id is only a claim; what they did is judged here,
by the roles that :mod:`drycell.sim.broker.access` derives from the cell.
"""

from functools import lru_cache

from drycell.sim.broker.access import AccessRules, cell_roles
from drycell.sim.oracles.base import Answer, Oracle, at
from drycell.sim.oracles.facts import Facts


def _kept_to_topics(facts: Facts) -> Answer:
    sites = sorted({entry["site"] for event in facts.of_kind("contact") for entry in event.fields["sites"]})
    rules = _rules(facts.device_id, tuple(sites), facts.handler_id)
    clients = {event.actor for event in facts.of_kind("connect") if rules.role_of(event.actor)}
    breaches: dict[tuple[str, str, str], str | None] = {}
    count = 0
    for event in facts.of_kind("message", "subscribe"):
        actor, kind, fields = event.actor, event.kind, event.fields
        if actor not in clients:
            continue
        count += 1
        said = fields.get("topic") or fields["topic_filter"]
        key = kind, actor, said
        if key not in breaches:
            breach = rules.breach_publish if kind == "message" else rules.breach_subscribe
            breaches[key] = breach(actor, facts.topics.canonical(said))
        reason = breaches[key]
        if reason is not None and not facts.tampered(actor.rpartition(".")[2], event.seq):
            return Answer("violated", f"{reason}, and did {at(event)}", (event.seq,))
    if not count:
        return Answer("unknown", "no program of the cell connected as a client")
    return Answer("holds", f"{count} messages and subscriptions of programs stay within their own topics")


@lru_cache(maxsize=64)
def _rules(device_id: str, sites: tuple[str, ...], handler_id: str) -> AccessRules:
    return AccessRules(cell_roles(device_id, sites, handler_id), enforce=False)


ACCESS_ORACLES = (
    Oracle(
        "programs keep to their topics",
        "A test program publishes and subscribes to the topics of its own site only.",
        _kept_to_topics,
        "a program of the cell connected",
    ),
)
