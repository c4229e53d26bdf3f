"""A program shaped like a sequencer: sleeps in a worker, asks, waits for the answer, publishes its result (QoS 2).

Arguments: site, port, number of cycles. Runs on paho-mqtt 1.6 and 2.x.
"""

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import paho.mqtt.client as mqtt

site, port, cycles = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if hasattr(mqtt, "CallbackAPIVersion"):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, f"site{site}")
else:
    client = mqtt.Client(f"site{site}")
answered, subscribed, finished = threading.Event(), threading.Event(), threading.Event()
pool = ThreadPoolExecutor(2)


def work(number):
    wall, monotonic = time.time_ns(), time.monotonic_ns()
    time.sleep(2.5)
    slept = time.time_ns() - wall, time.monotonic_ns() - monotonic
    answered.clear()
    client.publish(f"ask/{site}", json.dumps({"n": number}), 2)
    ok = answered.wait(15)
    result = {"n": number, "ok": ok, "slept": slept, "now": time.time_ns()}
    client.publish(f"result/{site}", json.dumps(result), 2)
    if number + 1 == cycles:
        finished.set()


def on_message(client, userdata, message):
    if message.topic.startswith("command"):
        pool.submit(work, json.loads(message.payload)["n"])
    else:
        answered.set()


client.will_set(f"status/{site}", "crash", 2)
client.on_connect = lambda client, *_: client.subscribe([(f"command/{site}", 2), (f"answer/{site}", 2)])
client.on_subscribe = lambda *_: subscribed.set()
client.on_message = on_message
client.connect("127.0.0.1", port, 60)
client.loop_start()
subscribed.wait()
client.publish(f"status/{site}", "idle", 2)
finished.wait()
time.sleep(1)
client.disconnect()
client.loop_stop()
