"""Promise about topics: every program keeps to those of its own site.

The programs of a Semi-ATE cell cannot use credentials, so a client id is only a claim; what they did is judged here,
by the roles that :mod:`drycell.sim.broker.access` derives from the cell.
"""

from collections.abc import Callable
from functools import lru_cache

from drycell.runtime.protocol.topics import Topics
from drycell.sim.broker.access import AccessRules, cell_roles
from drycell.sim.oracles.base import Answer, Oracle, at
from drycell.sim.oracles.facts import Facts


def _kept_to_topics(facts: Facts) -> Answer:
    sites = sorted({entry["site"] for event in facts.of_kind("contact") for entry in event.fields["sites"]})
    has_role, breach = _rules(facts.topics, tuple(sites))
    clients = {event.actor for event in facts.of_kind("connect") if has_role(event.actor)}
    count = 0
    for event in facts.of_kind("message", "subscribe"):
        actor, kind, fields = event.actor, event.kind, event.fields
        if actor not in clients:
            continue
        count += 1
        reason = breach(kind, actor, fields.get("topic") or fields["topic_filter"])
        if reason is not None and not facts.tampered(actor.rpartition(".")[2], event.seq):
            return Answer("violated", f"{reason}, and did {at(event)}", (event.seq,))
    if not count:
        return Answer("unknown", "no program of the cell connected as a client")
    return Answer("holds", f"{count} messages and subscriptions of programs stay within their own topics")


@lru_cache(maxsize=16)
def _rules(
    topics: Topics, sites: tuple[str, ...]
) -> tuple[Callable[[str], bool], Callable[[str, str, str], str | None]]:
    """For a cell: whether a client has a role there, and what is wrong with its publishing or subscribing.

    There are few different questions, and many runs of one cell.
    """
    rules = AccessRules(cell_roles(topics.device, sites, topics.handler), enforce=False)

    @lru_cache(maxsize=256)
    def has_role(client_id: str) -> bool:
        return rules.role_of(client_id) is not None

    @lru_cache(maxsize=4096)
    def breach(kind: str, client_id: str, topic: str) -> str | None:
        judge = rules.breach_publish if kind == "message" else rules.breach_subscribe
        return judge(client_id, topics.canonical(topic))

    return has_role, breach


ACCESS_ORACLES = (
    Oracle(
        "programs keep to their topics",
        "A test program publishes and subscribes to the topics of its own site only.",
        _kept_to_topics,
        "a program of the cell connected",
    ),
)
