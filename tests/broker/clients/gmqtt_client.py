"""gmqtt: python gmqtt_client.py PORT VERSION; with version 5 it expects to be refused."""

import asyncio
import sys

import gmqtt

PORT, VERSION = int(sys.argv[1]), int(sys.argv[2])


async def main():
    if VERSION == 5:
        try:
            await asyncio.wait_for(gmqtt.Client("five").connect("127.0.0.1", PORT, version=5), 10)
        except gmqtt.mqtt.handler.MQTTConnectError as error:
            print("refused", int(error._code))
        return
    got, complete, ready = [], asyncio.Event(), asyncio.Event()
    listener, speaker = gmqtt.Client("listener"), gmqtt.Client("speaker")

    def on_message(client, topic, payload, qos, properties):
        got.append((topic, bytes(payload), qos))
        if len(got) == 3:
            complete.set()
        return 0

    listener.on_message = on_message
    listener.on_subscribe = lambda *_: ready.set()
    for client in (listener, speaker):
        await client.connect("127.0.0.1", PORT, version=gmqtt.constants.MQTTv311)
    listener.subscribe("t/#", qos=2)
    await asyncio.wait_for(ready.wait(), 10)
    for qos in (0, 1, 2):
        speaker.publish(f"t/{qos}", b"%d" % qos, qos=qos)
    await asyncio.wait_for(complete.wait(), 10)
    assert sorted(got) == [(f"t/{qos}", b"%d" % qos, qos) for qos in (0, 1, 2)], got
    await speaker.disconnect()
    await listener.disconnect()
    print("ok")


asyncio.run(main())
