import time

from bench_link import ask, send


def do(self):
    """Bring the chamber to temperature, power the device, measure its output voltage and current under load."""
    channel = int(self.context.harness.params.site_id) + 1
    self.context.Temperature_instance.set_temperature([self.ip.Temperature()])
    send("psu", f"VOLT {self.ip.vin():.3f},(@{channel})")
    send("psu", f"OUTP ON,(@{channel})")
    send("load", f"CURR {self.ip.load():.3f},(@{channel})")
    send("load", f"INP ON,(@{channel})")
    try:
        time.sleep(self.ip.settle_s())
        self.op.vmeas.write(ask("dmm", f"MEAS:VOLT:DC? AUTO,MIN,(@{channel})"))
        self.op.imeas.write(ask("dmm", f"MEAS:CURR:DC? AUTO,MIN,(@{channel})"))
    finally:
        send("load", f"INP OFF,(@{channel})")
        send("psu", f"OUTP OFF,(@{channel})")
