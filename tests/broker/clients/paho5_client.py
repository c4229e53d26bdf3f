"""A paho 2.x client of MQTT 5 or 3.1: python paho5_client.py PORT 5|3. Prints what it was told."""

import sys
import threading

import paho.mqtt.client as mqtt

told = threading.Event()
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="other", protocol=int(sys.argv[2]))


def on_connect(client, userdata, flags, reason, properties):
    print(reason)
    told.set()


client.on_connect = on_connect
client.connect("127.0.0.1", int(sys.argv[1]), 30)
client.loop_start()
assert told.wait(10)
