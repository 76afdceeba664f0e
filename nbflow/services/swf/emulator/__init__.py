"""Amazon SWF on your own machine, for tests and for trying things out.

It speaks JSON 1.0 over HTTP on loopback, so that any AWS client talks to it as to the service. It
is a reading of the documentation: where that is silent, it is a guess, which docs/swf.md lists.

::

    from nbflow.services.swf import emulator

    with emulator.running() as endpoint:
        swf = endpoint.client()
"""

from nbflow.services.swf.emulator.execution import Event, Execution
from nbflow.services.swf.emulator.faults import Fault
from nbflow.services.swf.emulator.handle import Endpoint, running
from nbflow.services.swf.emulator.limits import Limits
from nbflow.services.swf.emulator.machine import Machine

__all__ = ["Endpoint", "Event", "Execution", "Fault", "Limits", "Machine", "running"]
