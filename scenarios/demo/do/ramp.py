import time

from dut_meter import measure_list


def do(self):
    """Output voltage over a ramp of the input voltage.

    An MPR output takes one value per write here (a list would stop the program with 1.0.17), and its limits are
    wide on purpose: the verdict is that of the two single values.
    """
    site = self.context.harness.params.site_id
    time.sleep(self.ip.settle_s())
    volts = measure_list(f"MEAS:RAMP? (@{site}),3.6,4.0,4.5,5.0,5.5")
    for value in volts:
        self.op.vramp.write(value)
    self.op.vmin.write(min(volts))
    self.op.span.write(round(max(volts) - min(volts), 4))
