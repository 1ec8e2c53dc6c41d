"""The site on a real port, served by waitress from a thread of the test process."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import waitress
from flask import Flask
from waitress import wasyncore


class Port:
    """One port of 127.0.0.1, held while the tests run, so that the site's address is known before it starts."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def close(self) -> None:
        self.socket.close()


@contextlib.contextmanager
def live_server(app: Flask, port: Port | None = None) -> Iterator[str]:
    """Serve the app until the block ends; gives its address. All its threads have ended afterwards."""
    own = port or Port()
    sockets: dict[int, Any] = {}
    server: Any = waitress.create_server(
        app, map=sockets, sockets=[own.socket.dup()], threads=8, clear_untrusted_proxy_headers=True
    )
    thread = threading.Thread(target=server.run, name="live-server", daemon=True)
    thread.start()
    try:
        yield own.url
    finally:
        # The serving thread itself closes its sockets, and ends when none is left.
        server.trigger.pull_trigger(lambda: wasyncore.close_all(sockets, ignore_all=True))
        thread.join(timeout=30)
        server.task_dispatcher.shutdown(timeout=30)
        if port is None:
            own.close()
        assert not thread.is_alive(), "the server did not end"
