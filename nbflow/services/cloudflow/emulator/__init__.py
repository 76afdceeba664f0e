"""CloudFlow on your own machine, for tests and for trying things out.

It is spoken to over HTTP on loopback, so that Alibaba Cloud's own libraries talk to it as to the
service. It is a reading of the documentation: where that is silent, it is a guess, which
docs/cloudflow.md lists.

::

    from nbflow.services.cloudflow import emulator

    with emulator.running(functions={"double": double}) as endpoint:
        client = endpoint.client()
"""

from nbflow.services.cloudflow.emulator.faults import Fault
from nbflow.services.cloudflow.emulator.handle import Endpoint, running
from nbflow.services.cloudflow.emulator.limits import Limits
from nbflow.services.cloudflow.emulator.server import Server

__all__ = ["Endpoint", "Fault", "Limits", "Server", "running"]
