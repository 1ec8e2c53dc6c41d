"""What the pages of moderation share."""

from typing import Any

from flask import Response, redirect, render_template

# What a page answers: a response, or a redirect.
Answer = Any


def page(name: str, status: int = 200, **values: Any) -> Answer:
    """A page of this room. None of them is for a shared cache, nor for the browser's after signing out."""
    answer = Response(render_template(f"moderation/{name}.html", **values), status, mimetype="text/html")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def go(path: str) -> Answer:
    """Where a form leads after it was accepted."""
    return redirect(path, 303)
