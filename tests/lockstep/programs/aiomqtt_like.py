"""The same conversation as ``sequencer_like.py``, on aiomqtt. Arguments: site, port, number of cycles."""

import asyncio
import json
import sys
import time

import aiomqtt

site, port, cycles = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


async def work(client, number, answers):
    wall, monotonic = time.time_ns(), time.monotonic_ns()
    await asyncio.to_thread(time.sleep, 2.5)
    slept = time.time_ns() - wall, time.monotonic_ns() - monotonic
    await client.publish(f"ask/{site}", json.dumps({"n": number}), 2)
    await asyncio.wait_for(answers.get(), 15)
    result = {"n": number, "ok": True, "slept": slept, "now": time.time_ns()}
    await client.publish(f"result/{site}", json.dumps(result), 2)


async def main():
    answers, done = asyncio.Queue(), 0
    async with aiomqtt.Client("127.0.0.1", port, identifier=f"site{site}") as client:
        await client.subscribe([(f"command/{site}", 2), (f"answer/{site}", 2)])
        await client.publish(f"status/{site}", "idle", 2)
        tasks = []
        async for message in client.messages:
            if message.topic.matches("command/+"):
                task = asyncio.create_task(work(client, json.loads(message.payload)["n"], answers))
                tasks.append(task)
                done += 1
            else:
                answers.put_nowait(True)
                if done == cycles:
                    break
        await asyncio.gather(*tasks)


asyncio.run(main())
