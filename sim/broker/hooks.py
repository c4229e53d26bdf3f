"""amqtt's plugins, asked without waiting.

Rules that hold here:
* A plugin is asked within the callback that handles the packet and must answer there; so it can not change any order.
* A plugin that raises has refused; the loop's exception handler is told, and the connection lives on as it deserves.
* Event hooks run as tasks of the loop, as amqtt does it; nobody waits for them.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from amqtt.broker import BrokerContext
from amqtt.contexts import Action
from amqtt.events import Events
from amqtt.plugins.manager import PluginManager
from amqtt.session import Session

from drycell.sim.errors import DrycellError


def answer_now(coroutine: Coroutine[Any, Any, Any], asked: str) -> Any:
    """Run a plugin's coroutine to its end without waiting. Raises DrycellError when it wants to wait."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise DrycellError(f"{asked} waits for something, but inside drycell an amqtt plugin must answer at once")


class Hooks:
    """The plugin manager of one broker, without waiting."""

    def __init__(self, manager: PluginManager[BrokerContext]) -> None:
        self._manager = manager

    def refuser(self, session: Session) -> str | None:
        """Name of the first authentication plugin that refuses the client, or None."""
        for plugin in self._manager._auth_plugins:
            name = type(plugin).__name__
            if self._ask(plugin.authenticate(session=session), name) is False:
                return name
        return None

    @staticmethod
    def _ask(coroutine: Coroutine[Any, Any, Any], name: str) -> Any:
        try:
            return answer_now(coroutine, name)
        except Exception as error:
            context = {"message": f"the amqtt plugin {name} failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
            return False

    def allow(self, session: Session, topic: str, action: Action) -> bool:
        """Whether all topic plugins allow the action."""
        return not self._manager._topic_plugins or all(
            self._ask(plugin.topic_filtering(session=session, topic=topic, action=action), type(plugin).__name__)
            for plugin in self._manager._topic_plugins
        )

    def fire(self, event: Events, **fields: Any) -> None:
        """Start the hooks of an event."""
        if self._manager._event_plugin_callbacks.get(event):
            answer_now(self._manager.fire_event(event, **fields), str(event))
