"""Loaded by every Python process that the tests start: none of them opens a connection but to its own machine."""

import contextlib
import os
import sys


def refuse_network(event, arguments):
    """An audit hook, which nobody can take back; what it refused is also noted in the file NETWORK_NOTES names."""
    if event in ("socket.connect", "socket.sendto"):
        host = arguments[1][0] if isinstance(arguments[1], tuple) else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    if host in (None, "", b"", "127.0.0.1", "localhost", "::1"):
        return
    if "NETWORK_NOTES" in os.environ:
        with contextlib.suppress(OSError), open(os.environ["NETWORK_NOTES"], "a") as notes:  # noqa: PTH123
            notes.write(f"{event} {host}\n")
    raise ConnectionRefusedError(f"the network is not for tests: {event} {host}")


sys.addaudithook(refuse_network)
