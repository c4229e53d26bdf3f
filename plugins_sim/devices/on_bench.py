"""Puts a drawn regulator of a lot into the circuit of a bench: its contacts, its parameters, its defects."""

from drycell.plugins_sim.devices.ldo import IQ_SLOPE_MICROAMP_PER_VOLT, NOMINAL_VIN_VOLTS
from drycell.plugins_sim.devices.ldo import Ldo as Drawn
from drycell.plugins_sim.physics.circuit import GROUND
from drycell.plugins_sim.physics.devices import Part
from drycell.plugins_sim.physics.elements import Leak, Resistor
from drycell.plugins_sim.physics.ldo import Ldo, LdoParameters

_MICRO = 1e-6
LEAK_VOLTS = 3.3
"""Voltage at which a drawn device's leakage is given."""


def on_bench(device: Drawn, site: int) -> Part:
    """The device as elements between ``in`` and ``out``, as it appears in the socket of ``site``.

    Its quiescent current grows with the input as the drawn one does. Its output goes by its own parameters; an open
    contact is an open circuit.
    """
    drawn, offsets = device.parameters, device.population.site(site)
    slope = IQ_SLOPE_MICROAMP_PER_VOLT * _MICRO
    ldo = Ldo(
        LdoParameters(
            nominal_output_voltage=drawn["vout"] + offsets.volts,
            tempco_ppm_per_c=drawn["tempco"],
            quiescent_current_a=(drawn["iq"] + offsets.microamp) * _MICRO - slope * NOMINAL_VIN_VOLTS,
            dropout_voltage=drawn["dropout"],
            line_regulation_v_per_v=drawn["line_reg"],
        ),
        in_pin="in.die",
        out_pin="out.die",
    )
    elements = (
        Resistor("in", "in.die", device.contact_ohm("VIN", site)),
        Resistor("in.die", GROUND, 1.0 / slope),
        ldo,
        Leak("out.die", GROUND, drawn["leak"] / LEAK_VOLTS),
        Resistor("out.die", "out", device.contact_ohm("VOUT", site)),
    )
    return Part(("in", "out"), elements)
