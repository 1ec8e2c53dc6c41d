"""The server that `make run` starts, in a process of its own."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MIB = 1_048_576


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """(port, process) of a site that ran `ops up` on a fresh machine; it is asked to stop at the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"BOARDWELL_INSTANCE": str(tmp_path_factory.mktemp("served")), "PORT": str(port), "HOST": "127.0.0.1"}
    environ = {k: v for k, v in os.environ.items() if not k.startswith("BOARDWELL_")} | settings
    subprocess.run([sys.executable, "-m", "core.firstrun"], cwd=ROOT, env=environ, check=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", "ops", "up"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    said = []
    for line in process.stdout:
        said.append(line)
        if "osprey@" in line:
            break
    assert any(f"http://127.0.0.1:{port}" in line for line in said), "".join(said)
    yield port, process
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.stdout.close()
    process.wait(timeout=30)


def send(port, path, *, size, chunked):
    """POST `size` bytes; the answer may come before everything was taken."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Content-Type": "application/json"}
    pieces = (b"x" * MIB for _ in range(size // MIB))
    try:
        if chunked:
            connection.request("POST", path, body=pieces, headers=headers, encode_chunked=True)
        else:
            connection.request("POST", path, body=pieces, headers=headers | {"Content-Length": str(size)})
    except (BrokenPipeError, ConnectionResetError):
        pass
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [2 * MIB, 20 * MIB])
def test_a_body_over_the_limit_is_a_problem_however_large_and_however_sent(served, size, chunked):
    answer, body = send(served[0], "/api/v1/boards/backache/threads", size=size, chunked=chunked)
    assert (answer.status, answer.headers["Content-Type"]) == (413, "application/problem+json")
    assert json.loads(body).keys() == {"type", "title", "status", "detail", "code", "errors"}


def test_the_demo_boards_answer_and_a_stop_leaves_a_sound_site(served):
    port, process = served
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/boards/backache/")
    assert connection.getresponse().status == 200
    connection.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
