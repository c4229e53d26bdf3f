"""The bridge: ATE.org objects of the simulated cell inside a test program's process, under names that it asks for.

Environment ``DRYCELL_BRIDGE``: JSON with ``address`` (host:port of the cell), ``site`` and ``names``: kind of object
(``tester``, ``instrument``, ``actuator``) -> names to answer for, null for every name.

Wire, version 1: one TCP connection per object, one JSON object per line, answers in the order of the questions.
The program opens with ``bridge`` (the version), ``kind``, ``name`` and ``site``; each question is ``call`` and
``arguments``.
Answers are ``value``, or ``error`` with ``type`` and ``text``. An answer may take as long as the cell needs.
"""

VERSION = 1
