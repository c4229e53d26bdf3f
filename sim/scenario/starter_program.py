"""regulator: a test program with two tests, for an LDO.

Simulated:   drycell run regulator.yaml --rung model
On a bench:  DRYCELL_METER=192.168.0.5:5025 python regulator.py --device_id CELL --site_id 0 --broker_host HOST
"""

from drycell.runtime.program import Context, Limit, Program

program = Program(bins={1: {1: "Good"}, 2: {11: "Contact"}, 3: {12: "Output voltage"}})


@program.on
def setup(ctx: Context) -> None:
    """Once, before the first device."""
    ctx.logger.info("the meter is a %s", ctx.instrument("meter").query("*IDN?"))


@program.test(Limit(0.05, 5, "Ohm"), bin=11)
def contact(ctx: Context, celsius: float = 25.0) -> float:
    """The input pin touches, with the device at temperature."""
    ctx.get_actuator_proxy("Chamber").set_temperature(celsius=celsius)
    return float(ctx.instrument("meter").query(f"MEAS:RES? (@{ctx.site_id}),VIN"))


@program.test(Limit(3.25, 3.35, "V"), bin=12)
def output_voltage(ctx: Context, vin: float = 5.0, settle_s: float = 0.01) -> float:
    """The output regulates."""
    ctx.sleep(settle_s)
    return float(ctx.instrument("meter").query(f"MEAS:VOUT? (@{ctx.site_id}),{vin:.3f}"))


@program.on
def cycle_teardown(ctx: Context, has_error: bool) -> None:
    """After every device; has_error: a test ended with an exception."""
    if has_error:
        ctx.logger.warning("device %s was not measured to its end", ctx.part_id)


@program.on
def program_teardown(ctx: Context) -> None:
    """Right before the program ends."""
    ctx.logger.info("the bench is switched off")


if __name__ == "__main__":
    program.main()
