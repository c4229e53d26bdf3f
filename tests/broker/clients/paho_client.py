"""An unmodified paho client, 1.6.1 or 2.x: python paho_client.py PORT. Prints "ok" when all came as it should."""

import sys
import threading

import paho.mqtt.client as mqtt

PORT = int(sys.argv[1])


def make(name):
    if hasattr(mqtt, "CallbackAPIVersion"):
        return mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, client_id=name, clean_session=True)
    return mqtt.Client(client_id=name, clean_session=True)


def main():
    got, ready, complete = [], threading.Event(), threading.Event()
    listener, speaker = make("listener"), make("speaker")

    def on_message(client, userdata, message):
        got.append((message.topic, bytes(message.payload), message.qos, message.retain))
        if message.topic == "t/end":
            complete.set()

    listener.on_message = on_message
    listener.on_connect = lambda client, userdata, flags, code: client.subscribe([("t/#", 2), ("last", 1)])
    listener.on_subscribe = lambda client, userdata, mid, granted, *rest: ready.set()
    listener.connect("127.0.0.1", PORT, 30)
    listener.loop_start()
    assert ready.wait(10)
    speaker.will_set("last", b"never", 2)
    speaker.connect("127.0.0.1", PORT, 30)
    speaker.loop_start()
    expected = []
    for qos in (0, 1, 2):
        for n in range(20):
            speaker.publish(f"t/{qos}", b"%d" % n, qos).wait_for_publish()
            expected.append((f"t/{qos}", b"%d" % n, qos, False))
    speaker.publish("t/big", b"\xa5" * 1_000_000, 2).wait_for_publish()
    speaker.publish("t/end", b"", 2).wait_for_publish()
    assert complete.wait(10)
    expected += [("t/big", b"\xa5" * 1_000_000, 2, False), ("t/end", b"", 2, False)]
    speaker.disconnect()
    listener.disconnect()
    speaker.loop_stop()
    listener.loop_stop()
    assert sorted(got) == sorted(expected), [item[:1] for item in got]
    for qos in (0, 1, 2):
        assert [item for item in got if item[0] == f"t/{qos}"] == [item for item in expected if item[0] == f"t/{qos}"]
    print("ok")


main()
