"""Every route says who may use it."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from core.vocabulary import Action

# Flask's own route for files, and the API's description, which flask-smorest serves.
FOREIGN = {"static", "api-docs.openapi_json"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def marks(app: Flask) -> Iterator[tuple[str, str, object]]:
    """(method, rule, mark) of every route; the mark of a class of views stands on its methods."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint in FOREIGN:
            continue
        view = app.view_functions[rule.endpoint]
        for method in sorted((rule.methods or set()) & set(METHODS)):
            handler = getattr(getattr(view, "view_class", None), method.lower(), view)
            yield method, rule.rule, getattr(handler, "boardwell_access", None)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_every_route_is_public_or_names_its_action(app: Flask) -> None:
    forgotten = [
        f"{method} {rule}" for method, rule, mark in marks(app) if mark != "public" and mark not in set(Action)
    ]
    assert forgotten == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_forgotten_mark_is_noticed(app: Flask) -> None:
    app.url_map.add(app.url_rule_class("/forgotten", endpoint="forgotten", methods={"GET"}))
    app.view_functions["forgotten"] = lambda: ""
    try:
        assert ("GET", "/forgotten", None) in list(marks(app))
    finally:
        app.url_map._rules.pop()
        app.url_map._rules_by_endpoint.pop("forgotten")
        app.view_functions.pop("forgotten")


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_visitor_gets_no_page_that_names_an_action_of_members(app: Flask, client: FlaskClient) -> None:
    """Every GET route without a variable part that needs more than reading sends a visitor to the sign-in page."""
    asked = 0
    for method, rule, mark in marks(app):
        if method != "GET" or mark in ("public", None) or "<" in rule or mark in (Action.READ_POST,):
            continue
        answer = client.get(rule)
        asked += 1
        if rule.startswith("/api/"):
            assert answer.status_code == 401, rule
        else:
            assert answer.status_code == 302, rule
            assert answer.headers["Location"].startswith("/login?next="), rule
    assert asked > 5
