"""What every page and every API answer share: errors, headers, CSRF, limits, idempotency, parked forms, health."""

import hashlib
import http
import io
import secrets
import sys
import time
from collections.abc import Callable, Iterable
from json import JSONDecodeError
from pathlib import Path
from typing import Any, TextIO, cast
from urllib.parse import urlencode

import structlog
from flask import (
    Blueprint,
    Flask,
    current_app,
    g,
    jsonify,
    redirect,
    render_template,
    request,
    session,
)
from flask_babel import Babel
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_smorest import Api as SmorestApi
from flask_smorest import Blueprint as SmorestBlueprint
from flask_wtf.csrf import CSRFError, CSRFProtect
from jinja2 import TemplateNotFound
from markupsafe import escape
from marshmallow import INCLUDE, Schema, fields, validate
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.wrappers import Response

from core import idempotency, parked
from core.config import Settings
from core.db import db, unit_of_work, utc_now
from core.errors import AppError, Conflict, Invalid, NotFound, SignInNeeded, TooLarge, TooMany

__all__ = ["Api", "ApiBlueprint", "PageArgs", "csrf", "init_app", "limiter", "settings"]

MAX_BODY_BYTES = 1_048_576
API_PREFIX = "/api/v1"
# Database keys are 32-bit integers: a larger number in an address can belong to nothing.
MAX_ID = 2**31 - 1
# How long a second press waits for the answer to the first, in seconds.
FIRST_ANSWER_WITHIN = 10.0
WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})

csrf = CSRFProtect()
babel = Babel()
limiter = Limiter(get_remote_address, strategy="moving-window", headers_enabled=False)
log = structlog.get_logger("boardwell")
blueprint = Blueprint("system", __name__)


def settings() -> Settings:
    """The settings of the running app."""
    return current_app.extensions["boardwell.settings"]


# --- The API -----------------------------------------------------------------------------------------------------


class ProblemField(Schema):
    field = fields.String()
    message = fields.String()


class Problem(Schema):
    """RFC 9457, with a stable `code` and the fields that are wrong. Some problems say more, such as the `version`."""

    class Meta:
        unknown = INCLUDE

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    code = fields.String(required=True, metadata={"description": "stable, for programs"})
    errors = fields.List(fields.Nested(ProblemField), required=True)


class Api(SmorestApi):
    """flask-smorest with errors of our own: problem+json here, and pages keep their pages."""

    def _register_error_handlers(self) -> None:
        """Errors are ours: see `_on_http_error`."""

    def _register_responses(self) -> None:
        """Every error is described as the problem that it is."""
        for status in http.HTTPStatus:
            answer: dict[str, Any] = {"description": status.phrase}
            if status >= 400:
                answer["content"] = {"application/problem+json": {"schema": Problem}}
            self.spec.components.response(status.name, answer, lazy=True)
        answer = {"description": "Any other problem", "content": {"application/problem+json": {"schema": Problem}}}
        self.spec.components.response(self.DEFAULT_ERROR_RESPONSE_NAME, answer, lazy=True)


class JsonReader(FlaskParser):
    """A body that no program can mean (a hundred thousand brackets, a number of a page's length) is a bad request."""

    def _raw_load_json(self, req: Any) -> Any:
        try:
            return super()._raw_load_json(req)
        except (JSONDecodeError, UnicodeDecodeError):
            raise
        except (RecursionError, ValueError) as error:
            raise BadRequest("Invalid JSON body.") from error


class ApiBlueprint(SmorestBlueprint):
    """Routes of one room; every POST is described with its Idempotency-Key."""

    ARGUMENTS_PARSER = JsonReader()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(_describe_key)


def _describe_key(doc: dict[str, Any], _info: dict[str, Any], *, method: str, **_more: Any) -> dict[str, Any]:
    if method.upper() == "POST":
        text = "The same key and body give the first answer again, another body 422."
        schema = {"type": "string", "minLength": 1, "maxLength": 300}
        key = {"in": "header", "name": "Idempotency-Key", "description": text, "schema": schema}
        doc.setdefault("parameters", []).append(key)
    return doc


class PageArgs(Schema):
    """`?limit=&after=` of every list."""

    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100), metadata={"description": "1 to 100"})
    after = fields.String(load_default=None, metadata={"description": "the `next` of the page before"})


def is_api() -> bool:
    """Whether programs are asking: they get problem+json."""
    return request.path.startswith("/api/")


def problem(status: int, code: str, title: str, detail: str, **more: Any) -> Response:
    """One RFC 9457 answer. `errors` in `more` is a list of {field, message}."""
    body = {"type": f"{settings().base_url}/help#{code}", "title": title, "status": status, "detail": detail}
    body |= {"code": code, "errors": [], **more}
    answer = jsonify(body)
    answer.status_code = status
    answer.content_type = "application/problem+json"
    return answer


def _flat(messages: Any, path: str = "") -> Iterable[dict[str, str]]:
    """marshmallow's nested messages as a flat list."""
    if isinstance(messages, dict):
        for key, value in messages.items():
            inner = key if path in ("", "json", "query", "form") else f"{path}.{key}"
            yield from _flat(value, str(inner))
    elif isinstance(messages, list):
        for value in messages:
            yield from _flat(value, path)
    else:
        yield {"field": path.removeprefix("json.").removeprefix("query."), "message": str(messages)}


# --- Errors ------------------------------------------------------------------------------------------------------


def _on_app_error(error: AppError) -> Response:
    if isinstance(error, BeingWorkedOn):
        # A browser shows the answer to the second press: it must be the answer to the first.
        answer = _first_answer(error.key_hash, error.body_hash)
        if answer is not None:
            return answer
    if isinstance(error, SignInNeeded) and not is_api():
        return _to_sign_in()
    if is_api():
        errors = [{"field": f, "message": m} for f, m in error.errors]
        more = {k: v for k, v in error.extra.items() if k != "retry_after"}
        answer = problem(error.status, error.code, error.title, error.detail, **({"errors": errors} | more))
        if isinstance(error, SignInNeeded):
            answer.headers["WWW-Authenticate"] = "Bearer"
    else:
        retry_after = error.extra.get("retry_after")
        # Where a refusal has a statement of reasons, its page leads there.
        reference = error.extra.get("reference")
        answer = error_page(error.status, error.detail, code=error.code, retry_after=retry_after, reference=reference)
    if isinstance(error, TooMany) and "retry_after" in error.extra:
        answer.headers["Retry-After"] = str(error.extra["retry_after"])
    return answer


def _on_http_error(error: HTTPException) -> Any:
    status = error.code or 500
    if status < 400:
        return error
    if not is_api():
        answer = error_page(status, error.description or "")
    else:
        code = {401: "sign-in-needed", 422: "invalid-field", 413: "too-large"}.get(status)
        data = getattr(error, "data", None) or {}
        errors = list(_flat(data.get("messages", {})))
        detail = error.description or ""
        if errors:
            detail = "Some fields cannot be accepted."
        code = code or error.name.lower().replace(" ", "-")
        answer = problem(status, code, error.name, detail, errors=errors)
    valid = getattr(error, "valid_methods", None)
    if valid:
        answer.headers["Allow"] = ", ".join(sorted(valid))
    retry = getattr(error, "retry_after", None)
    if retry:
        answer.headers["Retry-After"] = str(retry)
    return answer


def _on_csrf_error(error: CSRFError) -> Response:
    if is_api():
        return problem(400, "csrf-failed", "Bad request", error.description or "The CSRF token is missing.")
    return error_page(400, "", template="csrf", kept=list(request.form.items(multi=True)))


def _on_crash(error: Exception) -> Response:
    db.session.rollback()
    log.error("crash", request_id=g.get("request_id"), path=request.path, exc_info=error)
    if isinstance(error, OperationalError):
        return _database_is_away()
    if is_api():
        return problem(500, "internal-error", "Internal error", "Something broke on our side. Nothing was stored.")
    return error_page(500, "")


def _database_is_away() -> Response:
    """It does not answer, or another writer held it for too long: nothing was stored, and a repeat may succeed."""
    detail = "The site is very busy, or being looked after. Nothing was stored. Please try again in a minute."
    if is_api():
        answer = problem(503, "busy", "Service unavailable", detail, errors=[])
    else:
        answer = error_page(503, detail, code="busy")
    answer.headers["Retry-After"] = "30"
    return answer


PLAIN_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Error {status}</title>
<link rel="stylesheet" href="/static/boardwell.css"><main id="main"><h1>Error {status}</h1><p>{detail}</p>
<p>Please try again in a minute. In an emergency, call your local emergency number.</p>{kept}</main></html>"""
PLAIN_KEPT = "<h2>Your text</h2><p>Nothing of it was stored. Copy it, so that it is not lost.</p>"


def error_page(status: int, detail: str, *, template: str | None = None, code: str = "", **more: Any) -> Response:
    """A page that says what happened, why, and what can be done now. Typed text comes back with it."""
    kept = more.pop("kept", None)
    if kept is None and request.method == "POST" and status != 413:
        kept = list(request.form.items(multi=True))
    kept = [(k, v) for k, v in kept or [] if not _is_secret(k)]
    values = {"status": status, "detail": detail, "code": code, "kept": kept, "request_id": g.get("request_id")}
    for name in (template or str(status), "generic"):
        try:
            page = render_template(f"errors/{name}.html", **values, **more)
            break
        except TemplateNotFound:
            continue
        except Exception as error:
            # What broke the page (a database that is away, say) may break its error page too.
            log.error("error page failed", request_id=g.get("request_id"), exc_info=error)
            page = _plain_page(status, detail or "Something broke on our side.", kept)
            break
    else:
        page = _plain_page(status, detail, kept)
    return Response(page, status, mimetype="text/html")


def _plain_page(status: int, detail: str, kept: list[tuple[str, str]]) -> str:
    """Without templates and database; what was typed comes back even here."""
    fields = [f'<textarea readonly aria-label="{escape(k)}" rows="8">\n{escape(v)}</textarea>' for k, v in kept if v]
    shown = PLAIN_KEPT + "".join(fields) if fields else ""
    return PLAIN_PAGE.format(status=status, detail=escape(detail), kept=shown)


def _is_secret(field: str) -> bool:
    return field in ("csrf_token", "_key") or "password" in field or field in ("code", "passcode")


# --- Forms of people who are not signed in -----------------------------------------------------------------------


def _to_sign_in() -> Response:
    """The sign-in page; a form that was sent is kept for a day and comes back afterwards."""
    if request.method != "POST":
        return redirect(f"/login?{urlencode({'next': request.full_path.rstrip('?')})}")
    park_form(request.path, [(k, v) for k, v in request.form.items(multi=True) if not _is_secret(k)])
    return redirect("/login?kept=1", 303)


def park_form(path: str, sent: list[tuple[str, str]]) -> None:
    """Keep a form for this browser until its owner has signed in; only one is kept at a time."""
    with limiter.limit("60/hour", key_func=get_remote_address), unit_of_work() as s:
        parked.drop(s, token=session.get("parked"))
        session["parked"] = parked.park(s, path, sent, now=utc_now())


def parked_form(member_id: int | None) -> parked.ParkedForm | None:
    """The form kept for this browser or this member, if any."""
    token = session.get("parked")
    if not token and not member_id:
        return None
    return parked.find(db.session(), token=token, member_id=member_id, now=utc_now())


def resumed_fields(path: str, member_id: int | None) -> dict[str, list[str]]:
    """What a composer at `path` shows when it is opened with `?resume=1`; empty otherwise."""
    if "resume" not in request.args:
        return {}
    form = parked_form(member_id)
    if form is None or form.path != path:
        return {}
    kept: dict[str, list[str]] = {}
    for name, value in form.fields:
        kept.setdefault(name, []).append(value)
    return kept


def drop_parked(s: Any, member_id: int | None) -> None:
    """Forget the kept form, in the caller's transaction: its text has been sent, thrown away, or may not be kept."""
    parked.drop(s, token=session.pop("parked", None), member_id=member_id)


# --- Idempotency -------------------------------------------------------------------------------------------------


def form_key() -> str:
    """A fresh one-time key for a form: pressed twice, it is done once."""
    return secrets.token_urlsafe(12)


def _find_key() -> tuple[str, str] | None:
    """(hash of who, where and key; hash of the body), or None where no key was sent."""
    if request.method != "POST":
        return None
    body = hashlib.sha256(request.get_data(cache=True)).hexdigest()
    if is_api():
        key = request.headers.get("Idempotency-Key")
    else:
        # A form that came back for correction has another body: that is another attempt, not a repeat.
        key = request.form.get("_key")
        key = f"{key}:{body}" if key else None
    if not key:
        return None
    if len(key) > 300:
        raise Invalid("bad-idempotency-key", "The Idempotency-Key is too long.")
    who = request.headers.get("Authorization") or session.get("_user_id") or session.get("csrf_token") or ""
    return hashlib.sha256(f"{who}\n{request.path}\n{key}".encode()).hexdigest(), body


def _replay_or_watch() -> Response | None:
    found = _find_key()
    if found is None:
        return None
    key_hash, body_hash = found
    known = idempotency.find(db.session(), key_hash)
    db.session.commit()
    if known is None:
        g.idempotency = key_hash
        db.session().info["on_begin"] = [lambda s: _insert_key(s, key_hash, body_hash)]
        return None
    answer = _first_answer(key_hash, body_hash)
    if answer is None:
        raise Conflict("idempotency-in-progress", "The first request with this key has not been answered yet.")
    return answer


def _first_answer(key_hash: str, body_hash: str) -> Response | None:
    """What the first request with this key got. Its row comes with the work, its answer a moment after: wait for it."""
    until = time.monotonic() + FIRST_ANSWER_WITHIN
    while True:
        known = idempotency.find(db.session(), key_hash)
        db.session.commit()
        if known is None:
            return None
        if known.body_hash != body_hash:
            raise Invalid("idempotency-key-reused", "This Idempotency-Key was used with another body.")
        if known.status is not None:
            break
        if time.monotonic() > until:
            return None
        time.sleep(0.02)
    answer = Response(known.body or "", known.status)
    answer.headers.update(known.headers or {})
    answer.headers["Idempotent-Replayed"] = "true"
    return answer


class BeingWorkedOn(AppError):
    """The same request came twice at once, and the other one was first. No door may take it for its own conflict."""

    status = 409
    title = Conflict.title

    def __init__(self, key_hash: str, body_hash: str) -> None:
        super().__init__("idempotency-in-progress", "The same request is being worked on at this moment.")
        self.key_hash = key_hash
        self.body_hash = body_hash


def _insert_key(s: Any, key_hash: str, body_hash: str) -> None:
    s.add(idempotency.IdempotentAnswer(key_hash=key_hash, body_hash=body_hash, created_at=utc_now()))
    try:
        s.flush()
    except IntegrityError as error:
        # The answer that will be kept under this key is not ours.
        g.pop("idempotency", None)
        raise BeingWorkedOn(key_hash, body_hash) from error


def _keep_answer(answer: Response) -> None:
    key_hash = g.pop("idempotency", None)
    worked = "on_begin" not in db.session().info
    db.session().info.pop("on_begin", None)
    if key_hash is None or not worked or answer.is_streamed:
        return
    headers = {n: v for n, v in answer.headers.items() if n in ("Content-Type", "Location", "ETag")}
    with unit_of_work() as s:
        idempotency.keep(s, key_hash, status=answer.status_code, headers=headers, body=answer.get_data(as_text=True))


# --- One request -------------------------------------------------------------------------------------------------


def _begin() -> Response | None:
    g.request_id = secrets.token_hex(8)
    g.began = time.perf_counter()
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise TooLarge("too-large", "A request may have at most 1 MiB.")
    if "\x00" in request.path or any("\x00" in v for values in request.args.lists() for v in values[1]):
        raise Invalid("nul-character", "The address holds a NUL character.")
    for value in (request.view_args or {}).values():
        if isinstance(value, int) and value > MAX_ID:
            raise NotFound()
    if request.method in WRITING and request.endpoint:
        # Read first: once a form has been parsed, its bytes are gone.
        sent = request.get_data(cache=True)
        if is_api() and sent and not request.is_json:
            raise UnsupportedMediaType("Send JSON, as application/json.")
        _check_csrf()
        return _replay_or_watch()
    return None


def _check_csrf() -> None:
    view = current_app.view_functions[request.endpoint or ""]
    if f"{view.__module__}.{view.__name__}" in csrf._exempt_views:
        return
    by_cookie = "_user_id" in session and "Authorization" not in request.headers
    if by_cookie or not is_api():
        csrf.protect()


CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), interest-cohort=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def _finish(answer: Response) -> Response:
    _keep_answer(answer)
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    if settings().base_url.startswith("https:"):
        answer.headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    if request.endpoint == "static" and answer.status_code in (200, 206, 304):
        exact = request.args.get("v") == _static_version((request.view_args or {})["filename"])
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable" if exact else "public, max-age=300"
    elif "Cache-Control" not in answer.headers:
        answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["X-Request-ID"] = g.get("request_id", "")
    seconds = time.perf_counter() - g.get("began", time.perf_counter())
    meters = current_app.extensions["boardwell.meters"]
    endpoint = request.endpoint or "none"
    meters["requests"].labels(request.method, endpoint, answer.status_code).inc()
    meters["seconds"].labels(endpoint).observe(seconds)
    if endpoint not in ("static", "system.healthz", "system.readyz", "system.metrics"):
        # No query string and no body: they may hold what somebody searched for or wrote.
        log.info(
            "request",
            request_id=g.get("request_id"),
            method=request.method,
            path=request.path if endpoint != "none" else "(unknown)",
            status=answer.status_code,
            ms=round(seconds * 1000, 1),
        )
    return answer


class WholeBody:
    """A chunked body is read to its end and given a length; one over the limit is refused, never cut."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
            body = environ["wsgi.input"].read(MAX_BODY_BYTES + 1)
            environ["wsgi.input"] = io.BytesIO(body)
            # One byte too many is enough for the length check of `_begin` to answer 413.
            environ["CONTENT_LENGTH"] = str(len(body))
            del environ["HTTP_TRANSFER_ENCODING"]
        return self.app(environ, start_response)


def _static_version(filename: str) -> str:
    known = current_app.extensions["boardwell.static"]
    if filename not in known:
        try:
            content = (Path(current_app.static_folder or "") / filename).read_bytes()
            known[filename] = hashlib.sha256(content).hexdigest()[:12]
        except OSError:
            return ""
    return known[filename]


def _add_static_version(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint == "static" and "filename" in values:
        values["v"] = _static_version(values["filename"])


# --- Health ------------------------------------------------------------------------------------------------------


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """The database answers, with the tables of this version."""
    try:
        db.session.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    except Exception as error:
        db.session.rollback()
        log.error("not ready", error=str(error)[:300])
        return jsonify(status="the database does not answer"), 503
    return jsonify(status="ok"), 200


@blueprint.get("/metrics")
def metrics() -> Response:
    """Prometheus; from this very machine, or with the token of the settings."""
    token = settings().metrics_token
    sent = request.headers.get("Authorization", "")
    by_token = bool(token) and secrets.compare_digest(sent.encode(), f"Bearer {token}".encode())
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    if not by_token and (forwarded or request.remote_addr not in ("127.0.0.1", "::1")):
        raise NotFound()
    body = generate_latest(current_app.extensions["boardwell.registry"])
    return Response(body, content_type="text/plain; version=0.0.4; charset=utf-8")


@blueprint.get(f"{API_PREFIX}/docs")
def api_docs() -> str:
    """The OpenAPI description for people, from the very document that programs read."""
    document = current_app.extensions["boardwell.api"].spec.to_dict()
    return render_template("api_docs.html", document=document, operations=list(_operations(document)))


def _operations(document: dict[str, Any]) -> Iterable[dict[str, Any]]:
    for path, methods in document.get("paths", {}).items():
        shared = methods.get("parameters", [])
        for method, operation in methods.items():
            if method == "parameters":
                continue
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            yield {
                "id": operation.get("operationId") or f"{method}-{path}".replace("/", "-").strip("-"),
                "method": method.upper(),
                "path": path,
                "summary": operation.get("summary", ""),
                "description": operation.get("description", ""),
                "parameters": [_resolve(document, p) for p in [*shared, *operation.get("parameters", [])]],
                "body": _fields(document, content.get("schema", {})),
                "answers": [
                    (status, _resolve(document, answer).get("description", ""))
                    for status, answer in operation.get("responses", {}).items()
                    if status != "default"
                ],
            }


def _resolve(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Follow one `$ref` of the document."""
    if "$ref" not in part:
        return part
    found: Any = document
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def _fields(document: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    schema = _resolve(document, schema)
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "type": _type_name(document, field),
            "required": name in required,
            "description": field.get("description", ""),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _type_name(document: dict[str, Any], field: dict[str, Any]) -> str:
    if field.get("enum"):
        return " | ".join(str(v) for v in field["enum"] if v is not None)
    kind = field.get("type", "object")
    kind = " or ".join(kind) if isinstance(kind, list) else kind
    return f"list of {_type_name(document, _resolve(document, field['items']))}" if "items" in field else kind


for _view in (healthz, readyz, metrics, api_docs):
    setattr(_view, "boardwell_access", "public")  # noqa: B010 (functions take marks)


# --- Setting up --------------------------------------------------------------------------------------------------


def _configure_log(level: str) -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level.lower()),
        logger_factory=structlog.PrintLoggerFactory(file=cast(TextIO, _Stderr())),
        cache_logger_on_first_use=False,
    )


class _Stderr:
    """The standard error of the moment, so that a test that captures it gets the lines."""

    def write(self, line: str) -> None:
        sys.stderr.write(line)

    def flush(self) -> None:
        sys.stderr.flush()


def init_app(app: Flask, given: Settings) -> None:
    """Everything of this file, for one app."""
    app.extensions["boardwell.settings"] = given
    app.extensions["boardwell.static"] = {}
    registry = CollectorRegistry()
    app.extensions["boardwell.registry"] = registry
    app.extensions["boardwell.meters"] = {
        "requests": Counter(
            "boardwell_requests", "Answered requests", ["method", "endpoint", "status"], registry=registry
        ),
        "seconds": Histogram("boardwell_request_seconds", "Time to answer", ["endpoint"], registry=registry),
    }
    _configure_log(given.log_level)
    secure = given.base_url.startswith("https:")
    app.config.update(
        SECRET_KEY=given.secret_key,
        TESTING=given.testing,
        # One over the limit, so that our own check answers first, with a clear error.
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_BODY_BYTES,
        SESSION_COOKIE_NAME="boardwell",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=secure,
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
        BABEL_DEFAULT_LOCALE="en",
        BABEL_DEFAULT_TIMEZONE="UTC",
        RATELIMIT_ENABLED=given.limits,
        RATELIMIT_STORAGE_URI=given.redis_url or "memory://",
        RATELIMIT_IN_MEMORY_FALLBACK_ENABLED=bool(given.redis_url),
        API_TITLE="Boardwell",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX=API_PREFIX,
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={
            "components": {
                "securitySchemes": {
                    "token": {"type": "http", "scheme": "bearer"},
                    "session": {
                        "type": "apiKey",
                        "in": "cookie",
                        "name": "boardwell",
                        "description": "Writing needs the header X-CSRFToken too.",
                    },
                }
            },
            "security": [{}, {"token": []}, {"session": []}],
        },
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    csrf.init_app(app)
    babel.init_app(app)
    limiter.init_app(app)
    app.before_request(_begin)
    app.after_request(_finish)
    app.url_defaults(_add_static_version)
    app.register_error_handler(AppError, _on_app_error)
    app.register_error_handler(CSRFError, _on_csrf_error)
    app.register_error_handler(RequestEntityTooLarge, _on_http_error)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(Exception, _on_crash)
    app.jinja_env.globals.update(form_key=form_key, site_name="Boardwell")
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(blueprint)
    app.wsgi_app = WholeBody(app.wsgi_app)  # type: ignore[method-assign]


def local_url(path: str) -> str:
    """An absolute address of this site, for mails."""
    return settings().base_url + path
