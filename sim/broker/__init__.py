"""The embedded amqtt broker on the kernel loop, and the seam that every message passes.

May import of drycell only ``sim.errors``; never the kernel, the cell or the journal: clock and journal are injected.
"""

from drycell.sim.broker.access import AccessRules, Breach, Role, audit, cell_roles, make_credentials
from drycell.sim.broker.broker import Broker
from drycell.sim.broker.client import MemoryClient
from drycell.sim.broker.external import ExternalBroker
from drycell.sim.broker.link import TcpLink
from drycell.sim.broker.messages import (
    BrokerOptions,
    LinkInfo,
    Message,
    MessageFault,
    PacketFault,
    Tls,
    Will,
)

AnyBroker = Broker | ExternalBroker
"""Where the parties of a cell meet: the embedded broker, or one that runs elsewhere."""

__all__ = [
    "AccessRules",
    "AnyBroker",
    "Breach",
    "Broker",
    "BrokerOptions",
    "ExternalBroker",
    "LinkInfo",
    "MemoryClient",
    "Message",
    "MessageFault",
    "PacketFault",
    "Role",
    "TcpLink",
    "Tls",
    "Will",
    "audit",
    "cell_roles",
    "make_credentials",
]
