"""The life cycle of amqtt's broker as a table: what its own state machine does, without the cost of making one."""

from collections.abc import Callable

_MOVES = {
    ("new", "start"): "starting",
    ("starting", "starting_success"): "started",
    ("starting", "starting_fail"): "not_started",
    ("started", "shutdown"): "stopping",
    ("stopping", "stopping_success"): "stopped",
    ("stopping", "stopping_failure"): "not_stopped",
    ("stopped", "start"): "starting",
}
"""(state, trigger) -> next state, as in amqtt 0.12.1, ``Broker._init_states``."""


class LifeCycle:
    """What amqtt and its plugins ask of a broker's state machine. A trigger out of turn raises ValueError."""

    def __init__(self) -> None:
        self.state = "new"

    def __getattr__(self, trigger: str) -> Callable[[], None]:
        if trigger not in {known for _, known in _MOVES}:
            raise AttributeError(trigger)
        return lambda: self._pull(trigger)

    def _pull(self, trigger: str) -> None:
        if (self.state, trigger) not in _MOVES:
            raise ValueError(f"a broker that is {self.state} can not take {trigger}")
        self.state = _MOVES[self.state, trigger]
