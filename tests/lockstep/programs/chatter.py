"""Talks at random with the simulator: several threads, each on its own connection, random sizes, sleeps and waits.

Arguments: port, seed, number of threads, exchanges per thread. Each exchange is one line out and one line back; a line
is "<reply size> <filling>". Prints how many came back right.
"""

import random
import socket
import sys
import threading
import time

port, seed, threads, exchanges = (int(word) for word in sys.argv[1:5])
right = [0] * threads
SIZES = (0, 1, 20, 200, 3000, 70_000)


def talk(number):
    rng = random.Random(seed * 1000 + number)
    with socket.create_connection(("127.0.0.1", port)) as peer, peer.makefile("rb") as answers:
        for _ in range(exchanges):
            pause = rng.choice((0, 0, 0.001, 0.25, 1e-9, 3))
            if pause:
                time.sleep(pause)
            wanted = rng.choices(SIZES, (4, 4, 8, 4, 2, 0.1))[0]
            line = b"%d %s\n" % (wanted, b"x" * rng.choices(SIZES, (4, 4, 8, 4, 2, 0.1))[0])
            if rng.random() < 0.3 and len(line) > 2:
                cut = rng.randrange(1, len(line))
                peer.sendall(line[:cut])
                if rng.random() < 0.5:
                    time.sleep(rng.random() / 100)
                peer.sendall(line[cut:])
            else:
                peer.sendall(line)
            answer = answers.readline()
            right[number] += answer == b"y" * wanted + b"\n"


running = [threading.Thread(target=talk, args=(number,)) for number in range(threads)]
for thread in running:
    thread.start()
for thread in running:
    thread.join()
print(sum(right))
