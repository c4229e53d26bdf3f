"""The plugin host: loads ATE.org plugins in the user's interpreter and does with them what the simulator asks.

Wire, version 1: one JSON object per line over an inherited stream socket. The host greets with ``host`` (its version)
and ``python``. A request has ``id``, ``do`` and what belongs to it; its answer has ``id``, ``touched`` (what it has
done outside of the process) and ``value`` or ``error`` (``type`` and ``text``).

| do | takes | value |
|---|---|---|
| list | | installed plugins: distribution, version, entry, target |
| load | target (module:attribute), folder (where to look at last) or null | hooks: hook -> names of its arguments |
| hook | hook, arguments by name | what it returns |
| call | object, method, positional arguments | what it returns; an awaitable is awaited |
| drop | object | |

Values are JSON. What is no JSON stays in the host: ``{"$object": n, "class": ..., "methods": [...], "data": {...}}``
stands for it, and goes back as ``{"$object": n}``; ``{"$logger": true}`` is a logger; bytes are
``{"$bytes": base64}``.
"""

VERSION = 1
