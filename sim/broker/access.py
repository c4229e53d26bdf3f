"""Who may do what: roles of a cell as data, enforced at the broker or audited afterwards.

Rules that hold here:
* A client belongs to the first role whose client id pattern fits; a client without a role may do nothing.
* The programs of a Semi-ATE cell can not use credentials, so for them a client id is only a claim: ``enforce=False``
  lets everything pass and leaves the judgement to ``audit``, which reads the journal.
"""

import hmac
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from drycell.sim.broker.topics import matches


@dataclass(frozen=True, slots=True)
class Role:
    """What one kind of client may do. ``client_ids``, ``publish`` and ``subscribe`` are MQTT filters.

    A client id is matched as if it were a topic whose levels are separated by ``.``, as in ``testapp.+.0``.
    """

    name: str
    client_ids: tuple[str, ...]
    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()

    def owns(self, client_id: str) -> bool:
        """Whether a client id is of this role."""
        name = client_id.replace(".", "/")
        return any(matches(name, pattern.replace(".", "/")) for pattern in self.client_ids)


@dataclass(frozen=True, slots=True)
class AccessRules:
    """Roles, and the credentials of a run as client id -> (user name, password)."""

    roles: tuple[Role, ...]
    credentials: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    enforce: bool = True

    def role_of(self, client_id: str) -> Role | None:
        """The role of a client, None when it has none."""
        return next((role for role in self.roles if role.owns(client_id)), None)

    def refuse_connect(self, client_id: str, username: str | None, password: bytes | None) -> str | None:
        """Why this client may not connect, or None."""
        if not self.enforce:
            return None
        if self.role_of(client_id) is None:
            return f"no role of the cell has the client id {client_id!r}"
        if self.credentials:
            wanted = self.credentials.get(client_id)
            given = ((username or "").encode(), password or b"")
            if wanted is None or not _equal(given, (wanted[0].encode(), wanted[1])):
                return "bad user name or password"
        return None

    def refuse_publish(self, client_id: str, topic: str) -> str | None:
        """Why this client may not publish on ``topic``, or None."""
        return self.breach_publish(client_id, topic) if self.enforce else None

    def refuse_subscribe(self, client_id: str, topic_filter: str) -> str | None:
        """Why this client may not subscribe to ``topic_filter``, or None."""
        return self.breach_subscribe(client_id, topic_filter) if self.enforce else None

    def breach_publish(self, client_id: str, topic: str) -> str | None:
        """As ``refuse_publish``, enforced or not."""
        role = self.role_of(client_id)
        if role is not None and any(matches(topic, allowed) for allowed in role.publish):
            return None
        return f"{_who(role, client_id)} may not publish on {topic}"

    def breach_subscribe(self, client_id: str, topic_filter: str) -> str | None:
        """As ``refuse_subscribe``, enforced or not."""
        role = self.role_of(client_id)
        if role is not None and any(covers(allowed, topic_filter) for allowed in role.subscribe):
            return None
        return f"{_who(role, client_id)} may not subscribe to {topic_filter}"


def _equal(given: tuple[bytes, bytes], wanted: tuple[bytes, bytes]) -> bool:
    same = [hmac.compare_digest(a, b) for a, b in zip(given, wanted, strict=True)]
    return all(same)


def _who(role: Role | None, client_id: str) -> str:
    return f"{role.name} {client_id}" if role else f"{client_id} has no role and"


def covers(wide: str, narrow: str) -> bool:
    """Whether every topic that matches the filter ``narrow`` matches the filter ``wide`` too."""
    wide_levels, narrow_levels = wide.split("/"), narrow.split("/")
    for index, level in enumerate(wide_levels):
        if level == "#":
            return True
        if index >= len(narrow_levels) or narrow_levels[index] == "#":
            return False
        if level not in ("+", narrow_levels[index]):
            return False
    return len(wide_levels) == len(narrow_levels)


def make_credentials(
    client_ids: Iterable[str], random_bytes: Callable[[int], bytes] = os.urandom
) -> dict[str, tuple[str, bytes]]:
    """Credentials of one run for clients that can use them: user name = client id, password of 128 random bits.

    Secrets must be unpredictable, so they do not come from the seed of the run; they never enter the journal.
    """
    return {client_id: (client_id, random_bytes(16).hex().encode()) for client_id in client_ids}


def cell_roles(device: str, sites: Iterable[str], handler: str) -> tuple[Role, ...]:
    """The roles of a Semi-ATE 1.0.17 cell: topics as its programs really use them, one role per site.

    The program and the control of site S publish only topics of site S. The services behind ``io-control`` (TCC) have
    client ids of their own, ``tcc.<anything>``.
    """
    root = f"ate/{device}"
    per_site = [role for site in sites for role in _site_roles(root, device, site)]
    master = Role(
        "master",
        (f"masterapp.{device}",),
        (
            f"{root}/Master/#",
            f"{root}/TestApp/cmd",
            f"{root}/Control/cmd",
            f"{root}/+/io-control/request",
            f"{root}/Handler/command",
        ),
        (f"{root}/#", f"ate/{handler}/Handler/#"),
    )
    handling = Role(
        "handler",
        (f"handler.{handler}",),
        (f"{root}/Master/cmd", f"ate/{handler}/Handler/#"),
        (f"{root}/Master/#", f"{root}/Handler/command"),
    )
    tcc = Role("tcc", ("tcc.#",), (f"{root}/+/io-control/response",), (f"{root}/+/io-control/request",))
    return (*per_site, master, handling, tcc)


_PROGRAM_TOPICS = ("status", "testresult", "testsummary", "log", "execution_strategy", "stdf")


def _site_roles(root: str, device: str, site: str) -> tuple[Role, Role]:
    program = Role(
        f"program of site {site}",
        (f"testapp.{device}.{site}",),
        (
            *(f"{root}/TestApp/{kind}/site{site}" for kind in _PROGRAM_TOPICS),
            f"{root}/TestApp/io-control/site{site}/request",
        ),
        (f"{root}/TestApp/cmd", f"{root}/Master/peripherystate/+", f"{root}/Master/+/response"),
    )
    control = Role(
        f"control of site {site}",
        (f"controlapp.{device}.{site}",),
        (f"{root}/Control/status/site{site}", f"{root}/Control/log/site{site}"),
        (f"{root}/Control/cmd", f"{root}/Master/status"),
    )
    return program, control


@dataclass(frozen=True, slots=True)
class Breach:
    """One event of the journal that the rules do not allow."""

    seq: int
    client_id: str
    reason: str


def audit(rules: AccessRules, events: Iterable[Mapping[str, object]]) -> list[Breach]:
    """All breaches of ``rules`` in a journal: messages and subscriptions of clients that their role does not allow.

    Only what came from MQTT clients is judged: a client is known from its "connect" event. Pure.
    """
    clients: set[str] = set()
    breaches: list[Breach] = []
    for event in events:
        kind, actor = event.get("kind"), str(event.get("actor", ""))
        reason: str | None = None
        if kind == "connect":
            clients.add(actor)
            reason = None if rules.role_of(actor) else f"no role of the cell has the client id {actor!r}"
        elif kind == "message" and actor in clients:
            reason = rules.breach_publish(actor, str(event["topic"]))
        elif kind == "subscribe" and actor in clients:
            reason = rules.breach_subscribe(actor, str(event["topic_filter"]))
        if reason is not None:
            seq = event.get("seq", 0)
            breaches.append(Breach(seq if isinstance(seq, int) else 0, actor, reason))
    return breaches
