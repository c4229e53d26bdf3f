"""A characterisation script as people have it: PyVISA, four instruments, sleeps. It knows nothing of a simulation.

Arguments: VISA library ("" for the usual one), resource names of chamber, supply, multimeter and load, load current.
"""

import sys
import time

import pyvisa

library, chamber_name, psu_name, dmm_name, load_name, amperes = sys.argv[1:]
manager = pyvisa.ResourceManager(library)
chamber, psu, dmm, load = (
    manager.open_resource(name, read_termination="\n", write_termination="\n")
    for name in (chamber_name, psu_name, dmm_name, load_name)
)
begin = time.monotonic()
psu.write("VOLT 5")
psu.write("CURR 1")
psu.write("OUTP ON")
load.write(f"CURR {amperes}")
load.write("INP ON")
points = []
for target in (-40, -20, 0, 25, 50, 85):
    chamber.write(f"TEMP:SETPOINT {target}")
    while chamber.query("TEMP:STAB?") != "1":
        time.sleep(1.0)
    time.sleep(5.0)
    celsius = float(chamber.query("TEMP:ACTUAL?"))
    volts = [float(dmm.query("MEAS:VOLT:DC?"))]
    for _ in range(4):
        time.sleep(0.1)
        volts.append(float(dmm.query("MEAS:VOLT:DC?")))
    points.append((celsius, sum(volts) / len(volts)))
psu.write("OUTP OFF")
mean_c = sum(celsius for celsius, _ in points) / len(points)
mean_v = sum(volt for _, volt in points) / len(points)
slope = sum((c - mean_c) * (v - mean_v) for c, v in points) / sum((c - mean_c) ** 2 for c, _ in points)
print(f"tempco {slope / points[3][1] * 1e6:.2f} ppm/K, {points[3][1]:.6f} V, took {time.monotonic() - begin:.0f} s")
