import time


def do(self):
    """Bring the chamber to temperature, power the device, measure its output voltage and current under load."""
    channel = int(self.context.harness.params.site_id) + 1
    psu, load, dmm = self.context.Lab_psu_instance, self.context.Lab_load_instance, self.context.Lab_dmm_instance
    self.context.Temperature_instance.set_temperature([self.ip.Temperature()])
    psu.set_voltage(channel, self.ip.vin())
    psu.enable_output(channel, True)
    load.set_current(channel, self.ip.load())
    load.enable_input(channel, True)
    try:
        time.sleep(self.ip.settle_s())
        self.op.vmeas.write(dmm.query_float(f"MEAS:VOLT:DC? AUTO,MIN,(@{channel})"))
        self.op.imeas.write(dmm.query_float(f"MEAS:CURR:DC? AUTO,MIN,(@{channel})"))
    finally:
        load.enable_input(channel, False)
        psu.enable_output(channel, False)
