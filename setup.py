"""Maps the top-level folders of the repository onto the import names drycell.*; all else is in pyproject.toml."""

from setuptools import find_packages, setup

ROOMS = ("runtime", "sim", "plugins_sim")

setup(
    package_dir={"drycell": "drycell", **{f"drycell.{room}": room for room in ROOMS}},
    packages=["drycell"]
    + [f"drycell.{name}" for room in ROOMS for name in (room, *(f"{room}.{p}" for p in find_packages(room)))],
    package_data={"drycell": ["py.typed"], "": ["*.json", "*.yaml", "LICENSE"], "drycell.sim.report": ["assets/*"]},
)
