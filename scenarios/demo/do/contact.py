import time

from dut_meter import measure


def do(self):
    """Bring the socket to temperature, then check both supply pins with a forced current."""
    site = self.context.harness.params.site_id
    self.context.Temperature_instance.set_temperature([self.ip.Temperature()])
    time.sleep(self.ip.settle_s())
    self.op.r_vin.write(measure(f"MEAS:RES? (@{site}),VIN"))
    self.op.r_vout.write(measure(f"MEAS:RES? (@{site}),VOUT"))
