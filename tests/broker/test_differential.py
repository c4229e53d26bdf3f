"""Random packet scripts give the same answers on our broker and on mosquitto, but for differences that are explained.

The long run is ``python -m tests.broker.differential --count 20000``.
"""

import asyncio

from tests.broker.differential import SETTINGS, compare, report, script
from tests.broker.mosquitto import mosquitto


def test_a_hundred_random_scripts_show_no_unexplained_difference_to_mosquitto(tmp_path):
    with mosquitto(tmp_path, *SETTINGS) as port:
        tally = asyncio.run(compare(100, 1, port))
    assert tally.scripts == 100 and not tally.findings, report(tally)


def test_a_script_is_a_pure_function_of_its_seed():
    assert script(7) == script(7) != script(8)
