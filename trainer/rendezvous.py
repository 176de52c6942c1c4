"""Where the processes of a start find each other.

Decisions:
- torchrun keeps one store over all its restarts, and what processes left there is not removed: one that was started
  again may read where a dead one listened, and fails (PyTorch's issue 135712). So the first rank opens a store of its
  own in each start, and torchrun's is only asked for its port. A port found there that nobody listens on is an old one.
"""

import os
import socket
import time
from datetime import timedelta

from torch._C._distributed_c10d import Store, TCPStore

PORT = "corpusmill/port"
"""In torchrun's store: where the first rank's is."""

PATIENCE = timedelta(minutes=10)
"""For the first rank to open it, and for what is asked of it later."""

TRY_SECONDS, WAIT_SECONDS = 2.0, 0.1


def meet(rank: int, world_size: int) -> Store | None:
    """The store of this start, at the first rank; None outside of torchrun, where PyTorch makes a new one."""
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return None
    host = os.environ["MASTER_ADDR"]
    agents = TCPStore(host, int(os.environ["MASTER_PORT"]), world_size, False, PATIENCE)
    if rank == 0:
        store = TCPStore(host, 0, world_size, True, PATIENCE, wait_for_workers=False)
        agents.set(PORT, str(store.port))
        return store
    deadline = time.monotonic() + PATIENCE.total_seconds()
    while True:
        port = int(agents.get(PORT))
        try:
            socket.create_connection((host, port), TRY_SECONDS).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(WAIT_SECONDS)
        else:
            return TCPStore(host, port, world_size, False, PATIENCE)
