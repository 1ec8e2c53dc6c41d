"""The contract, driven from outside: a program that knows only the written contract and the OpenAPI document."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

from flask import Flask

from tests.flows.scene import load_starter

DRIVER = Path(__file__).with_name("contract_driver.py")
PASSWORD = "five calm herons"
PEOPLE = {
    "asker": ("nell", "member", "read,write"),
    "helper": ("otto", "member", "read,write"),
    "reporter": ("petra", "member", "read,write"),
    "moderator": ("quinn", "moderator", "read,write,moderate"),
    "second": ("rosa", "moderator", "read,write,moderate"),
    "lead": ("sven", "lead", "read,write,moderate"),
}


def make_people(app: Flask) -> dict[str, str]:
    """Members and their tokens, by the commands of the contract."""
    tokens = {}
    for part, (handle, role, scopes) in PEOPLE.items():
        run = app.test_cli_runner()
        made = run.invoke(
            args=["members", "create", handle, "--email", f"{handle}@example.org", "--role", role],
            input=f"{PASSWORD}\n",
        )
        assert made.exit_code == 0, made.output
        made = run.invoke(args=["members", "token", handle, "--scope", scopes])
        assert made.exit_code == 0, made.output
        found = re.search(r"\bbw_[\w-]{40,}", made.output)
        assert found, made.output
        tokens[part] = found[0]
    return tokens


def test_an_outsider_who_knows_only_the_contract_goes_through_the_whole_chain(app: Flask, live_server: str) -> None:
    load_starter(app)
    given = {"base": live_server, "board": "backache", "tokens": make_people(app)}
    run = subprocess.run(
        [sys.executable, "-I", str(DRIVER)], input=json.dumps(given), capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stdout + run.stderr
    figures = json.loads(run.stdout.splitlines()[-1])
    assert figures["failed"] == 0
    assert figures["passed"] > 400


def test_the_driver_imports_nothing_of_the_site() -> None:
    tree = ast.parse(DRIVER.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names
