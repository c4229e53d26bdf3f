import time

from dut_meter import measure


def do(self):
    """Quiescent current in microampere; the output's exp10 of -6 makes it ampere in the records."""
    site = self.context.harness.params.site_id
    time.sleep(self.ip.settle_s())
    self.op.iq.write(measure(f"MEAS:IQ? (@{site}),{self.ip.vin():.3f}"))
