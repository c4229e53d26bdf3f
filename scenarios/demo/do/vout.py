import time

from dut_meter import measure


def do(self):
    """Output voltage at the given input voltage."""
    site = self.context.harness.params.site_id
    time.sleep(self.ip.settle_s())
    self.op.vmeas.write(measure(f"MEAS:VOUT? (@{site}),{self.ip.vin():.3f}"))
