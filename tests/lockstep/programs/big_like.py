"""Publishes ten megabytes with QoS 2 and waits until they have come back.

usage: big_like.py SITE PORT _
"""

import hashlib
import sys
import threading

import paho.mqtt.client as mqtt

BIG = b"0123456789" * (1 << 20)
site, port = sys.argv[1], int(sys.argv[2])
back: list[str] = []
came = threading.Event()


def on_message(client, userdata, message):
    back.append(hashlib.sha256(message.payload).hexdigest())
    came.set()


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, f"big{site}")
client.on_message = on_message
client.on_connect = lambda *_: client.subscribe(f"big/{site}", 2)
client.on_subscribe = lambda *_: came.set()
client.connect("127.0.0.1", port)
client.loop_start()
assert came.wait(100)
came.clear()
client.publish(f"big/{site}", BIG, 2)
assert came.wait(100)
print(back == [hashlib.sha256(BIG).hexdigest()])
client.disconnect()
client.loop_stop()
