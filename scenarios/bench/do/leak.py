import time

from bench_link import ask, send


def do(self):
    """Force the output from outside while the input is off; the current that leaks into it in nanoampere."""
    channel = int(self.context.harness.params.site_id) + 1
    send("smu", f"SOUR:VOLT {self.ip.vforce():.3f},(@{channel})")
    send("smu", f"OUTP ON,(@{channel})")
    try:
        time.sleep(self.ip.settle_s())
        self.op.ileak.write(round(ask("smu", f"MEAS:CURR? (@{channel})") * 1e9, 3))
    finally:
        send("smu", f"OUTP OFF,(@{channel})")
