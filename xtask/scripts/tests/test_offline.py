"""The Python that is to do without a network is refused one, and so is what it starts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

HOOK = Path(__file__).resolve().parents[1] / "offline"
CONNECT = "import socket, sys; socket.create_connection(('127.0.0.1', {port}))"
NESTED = "import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}], check=True)"


def connect(port: int, *, nested: bool, hook: bool) -> subprocess.CompletedProcess[str]:
    code = CONNECT.format(port=port)
    environment = {**os.environ, "PYTHONPATH": str(HOOK)} if hook else None
    return subprocess.run(
        [sys.executable, "-P", "-c", NESTED.format(code=code) if nested else code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_connection_is_made_without_the_hook_and_refused_with_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for nested in (False, True):
            assert connect(port, nested=nested, hook=False).returncode == 0
            refused = connect(port, nested=nested, hook=True)
            assert refused.returncode != 0
            assert "there is no network in this check" in refused.stderr
