"""Publishes numbered messages at a steady rate, QoS 0 to 2 in turn, few unacknowledged as usual clients do.

A process of its own: PORT COUNT PER_SECOND; it also ends when its input does, and prints how many it were.
"""

import select
import socket
import sys
import time

from drycell.sim.broker import codec


def main(port: int, count: int, per_second: int) -> None:
    line = socket.create_connection(("127.0.0.1", port))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.sendall(codec.encode_connect(codec.Connect("load", keepalive_s=0)))
    framer, open_, sent, out = codec.Framer(), 0, 0, b""
    told = [sys.stdin]
    begin_s = time.monotonic()
    while sent < count or open_ or out:
        due = min(count, int((time.monotonic() - begin_s) * per_second))
        while sent < due and open_ < 16 and len(out) < 1 << 20:
            qos = sent % 3
            payload = b"%d" % sent + b"." * 200
            out += codec.encode_publish(f"load/{qos}", payload, qos, False, sent % 65_535 + 1)
            open_ += qos > 0
            sent += 1
        readable, writable, _ = select.select([line, *told], [line] if out else [], [], 0.001)
        if told and told[0] in readable:
            told, count = [], sent
        if writable:
            out = out[line.send(out) :]
        if line in readable:
            data = line.recv(1 << 16)
            if not data:
                sys.exit("the broker closed the connection")
            for first, body in framer.feed(data):
                if first >> 4 == codec.PUBREC:
                    out += codec.encode_ack(codec.PUBREL, codec.decode_ack(body))
                elif first >> 4 in (codec.PUBACK, codec.PUBCOMP):
                    open_ -= 1
    line.sendall(codec.DISCONNECT_BYTES)
    line.shutdown(socket.SHUT_WR)
    while line.recv(1 << 16):
        pass
    print(sent)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
