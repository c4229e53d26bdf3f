"""The embedded amqtt broker on the kernel loop, and the seam that every message passes."""
