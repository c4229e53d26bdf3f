"""amqtt's own plugins and hooks work on the embedded broker, as long as they answer without waiting."""

import asyncio
from typing import Any, ClassVar

import pytest
from amqtt.plugins.base import BaseAuthPlugin, BasePlugin, BaseTopicPlugin

from drycell.sim.broker import BrokerOptions, Will
from tests.broker.support import Virtual, virtual

HERE = "tests.broker.test_plugins"


class Notes(BasePlugin):  # type: ignore[misc,type-arg]
    """Notes every event hook with what amqtt's tables say at that time."""

    seen: ClassVar[list[tuple[Any, ...]]] = []

    async def on_broker_client_connected(self, *, client_id: str, client_session: Any) -> None:
        self.seen.append(("connected", client_id, client_session.transitions.state))

    async def on_broker_client_disconnected(self, *, client_id: str, client_session: Any) -> None:
        self.seen.append(("disconnected", client_id, client_session.transitions.state))

    async def on_broker_client_subscribed(self, *, client_id: str, topic: str, qos: int) -> None:
        subscribers = [(session.client_id, granted) for session, granted in self.context.subscriptions[topic]]
        self.seen.append(("subscribed", client_id, topic, qos, subscribers))

    async def on_broker_client_unsubscribed(self, *, client_id: str, topic: str) -> None:
        self.seen.append(("unsubscribed", client_id, topic, list(self.context.subscriptions)))

    async def on_broker_retained_message(self, *, client_id: str | None, retained_message: Any) -> None:
        self.seen.append(("retained", retained_message.topic, bytes(retained_message.data)))


def test_event_hooks_are_called_and_amqtts_tables_are_true():
    Notes.seen.clear()

    async def story(w: Virtual) -> None:
        client = w.client("a").subscribe(("t/#", 1))
        await w.settle()
        w.broker.publish("m", "t", b"kept", 0, True)
        w.broker.publish("m", "t", b"", 0, True)
        client.mqtt.unsubscribe(["t/#"])
        await w.settle()
        client.mqtt.disconnect()
        await w.settle()

    virtual(story, BrokerOptions(plugins={f"{HERE}.Notes": {}}))
    assert Notes.seen == [
        ("connected", "a", "connected"),
        ("subscribed", "a", "t/#", 1, [("a", 1)]),
        ("retained", "t", b""),
        ("retained", "t", b""),
        ("unsubscribed", "a", "t/#", []),
        ("disconnected", "a", "disconnected"),
    ]


@pytest.mark.filterwarnings("ignore:The .acl. option:DeprecationWarning")
def test_amqtts_access_control_list_is_obeyed():
    rules = {"publish_acl": {"anonymous": ["mine/#"]}, "acl": {"anonymous": ["mine/#"]}}

    async def story(w: Virtual) -> None:
        client = w.client("a").subscribe(("mine/x", 0), ("yours", 0))
        client.mqtt.publish("mine/x", b"1")
        client.mqtt.publish("yours", b"2")
        await w.settle()
        assert client.codes == [0, 0x80] and client.payloads == [b"1"] and client.ended == ["closed"]

    virtual(story, BrokerOptions(plugins={"amqtt.plugins.topic_checking.TopicAccessControlListPlugin": rules}))


def test_amqtts_password_file_is_obeyed(tmp_path):
    from pwdlib.hashers.argon2 import Argon2Hasher

    file = tmp_path / "passwords"
    file.write_text(f"user:{Argon2Hasher(time_cost=1, memory_cost=64).hash('secret')}\n")
    plugins = {"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(file)}}

    async def story(w: Virtual) -> None:
        clients = [w.client("a", username="user", password=password) for password in (b"secret", b"wrong")]
        await w.settle()
        assert [client.answers for client in clients] == [[(0, False)], [(5, False)]]

    virtual(story, BrokerOptions(plugins=plugins))


def test_amqtts_system_topics_pass_the_seam_at_their_simulated_interval():
    async def story(w: Virtual) -> None:
        await w.at(65)

    plugins = {"amqtt.plugins.sys.broker.BrokerSysPlugin": {"sys_interval": 20}}
    with pytest.warns(DeprecationWarning):
        log = virtual(story, BrokerOptions(plugins=plugins))
    times = {t for t, _, actor, fields in log.of("message") if fields["topic"] == "$SYS/broker/clients/connected"}
    assert times == {20_000_000_000, 40_000_000_000, 60_000_000_000}
    assert {actor for _, _, actor, _ in log.of("message")} == {"broker"}


class Slow(BaseAuthPlugin):  # type: ignore[misc]
    """Wants to wait."""

    async def authenticate(self, *, session: Any) -> bool:
        await asyncio.sleep(1)
        return True


class Broken(BaseTopicPlugin):  # type: ignore[misc]
    """Fails when asked about a subscription."""

    async def topic_filtering(self, *, session: Any = None, topic: Any = None, action: Any = None) -> bool:
        raise RuntimeError("broken")


@pytest.mark.parametrize(("plugin", "reason"), [("Slow", "must answer at once"), ("Broken", "broken")])
def test_a_plugin_that_waits_or_fails_has_refused_and_the_loop_is_told(plugin, reason):
    told: list[str] = []

    async def story(w: Virtual) -> None:
        handler = w.loop.get_exception_handler()
        w.loop.set_exception_handler(lambda _, context: told.append(str(context["exception"])))
        client = w.client("a", will=Will("w", b"")).subscribe(("t", 0))
        await w.settle()
        assert client.answers == [(5, False)] or client.codes == [0x80]
        w.loop.set_exception_handler(handler)

    virtual(story, BrokerOptions(plugins={f"{HERE}.{plugin}": {}}))
    assert reason in told[0]
