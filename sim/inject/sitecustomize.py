"""Entry of the lockstep shim: Python imports a ``sitecustomize`` before the program and before most of its library.

The folder of this file is alone on ``PYTHONPATH`` in front of the program's own entries. When the environment names a
control socket, the shim is installed; when it names VISA resources, PyVISA finds their backend; in any case the next
``sitecustomize`` on the path is run, as if this one were not there.
"""

import os
import sys


def _chain(here: str) -> None:
    """Run the sitecustomize that this one hides, if there is one."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    others = [entry for entry in sys.path if os.path.realpath(entry or ".") != here]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


def _enter() -> None:
    here = os.path.realpath(os.path.dirname(__file__))
    if os.environ.get("DRYCELL_LOCKSTEP"):
        import drycell_shim.install  # type: ignore[import-not-found]

        try:
            drycell_shim.install.install()
        except Exception as error:  # half a shim is worse than none
            sys.stderr.write(f"drycell: this program cannot join simulated time: {type(error).__name__}: {error}\n")
            os._exit(70)
    import drycell_shim.doors  # type: ignore[import-not-found]

    drycell_shim.doors.open_doors(here)
    _chain(here)


_enter()
