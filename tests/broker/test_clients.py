"""Unmodified clients in processes of their own: paho 1.6.1 and 2.x, aiomqtt, gmqtt, mosquitto_pub, mosquitto_sub."""

import asyncio
from pathlib import Path

import pytest

from tests.broker.mosquitto import program
from tests.broker.support import run, serving
from tests.environments import environment

CLIENTS = Path(__file__).parent / "clients"

CASES = {
    "paho 1.6.1": (["paho-mqtt==1.6.1"], "paho_client.py", (), "ok"),
    "paho 2": (["paho-mqtt==2.1.0"], "paho_client.py", (), "ok"),
    "aiomqtt": (["aiomqtt==2.5.1"], "aiomqtt_client.py", (), "ok"),
    "gmqtt": (["gmqtt==0.7.0"], "gmqtt_client.py", ("4",), "ok"),
    "gmqtt of MQTT 5": (["gmqtt==0.7.0"], "gmqtt_client.py", ("5",), "refused 132"),
    "paho of MQTT 5": (["paho-mqtt==2.1.0"], "paho5_client.py", ("5",), "Unsupported protocol version"),
    "paho of MQTT 3.1": (["paho-mqtt==2.1.0"], "paho5_client.py", ("3",), "Unsupported protocol version"),
}


async def output(*command: str | Path, within_s: float = 60) -> str:
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), within_s)
    finally:
        if process.returncode is None:
            process.kill()
    return out.decode().strip()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.xdist_group("environments")
def test_an_unmodified_client_works_or_is_told_why_not(case):
    requirements, script, arguments, expected = CASES[case]
    python = environment(requirements[0].partition("==")[0], requirements)

    async def story() -> str:
        async with serving() as broker:
            said = await output(python, CLIENTS / script, str(broker.port), *arguments)
            if expected != "ok":
                assert "MQTT" in broker.log.of("refused")[0][3]["detail"]
            return said

    assert run(story()).splitlines()[-1:] == [expected]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mosquitto_pub_and_sub(qos):
    pub, sub = program("mosquitto_pub"), program("mosquitto_sub")

    async def story() -> None:
        async with serving() as broker:
            address = ("-h", "127.0.0.1", "-p", str(broker.port), "-q", str(qos))
            wait = asyncio.create_task(output(sub, *address, "-t", "t/#", "-C", "3", "-v"))
            await broker.log.next("subscribe")
            for n in range(3):
                assert await output(pub, *address, "-t", f"t/{n}", "-m", f"message {n}") == ""
            assert await wait == "\n".join(f"t/{n} message {n}" for n in range(3))

    run(story())
