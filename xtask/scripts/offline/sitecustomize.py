"""Refuses this Python, and every Python that it starts, the network.

`cargo xtask test --only offline` puts this folder on PYTHONPATH where the system can't cut the
network off; Python imports the module at its start. It sees what goes through Python's `socket`
only, not what native code does by itself.
"""

from __future__ import annotations

import sys

REFUSED = frozenset(
    {
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.getnameinfo",
        "socket.sendmsg",
        "socket.sendto",
    }
)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in REFUSED:
        raise PermissionError(f"{event}{arguments[1:]}: there is no network in this check")


sys.addaudithook(_refuse)
