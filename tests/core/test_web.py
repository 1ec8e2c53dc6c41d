"""What every answer shares: headers, errors, sizes, health."""

import io
import json

import pytest

from core.web import MAX_BODY_BYTES, WholeBody, csrf


def test_every_page_carries_the_security_headers_and_a_request_id(client):
    answer = client.get("/rules")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy and "http" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert len(answer.headers["X-Request-ID"]) == 16


def test_an_unknown_page_is_a_page_and_an_unknown_route_of_the_api_a_problem(client):
    page = client.get("/nothing-here")
    assert (page.status_code, page.mimetype) == (404, "text/html")
    problem = client.get("/api/v1/nothing-here")
    assert (problem.status_code, problem.mimetype) == (404, "application/problem+json")
    assert set(problem.json) >= {"type", "title", "status", "detail", "code", "errors"}


def test_a_wrong_method_names_the_right_ones(client):
    answer = client.delete("/healthz")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_numbers_that_no_key_can_have_are_not_found(client):
    assert client.get(f"/threads/{10**30}/x").status_code == 404
    assert client.get(f"/api/v1/threads/{10**30}").status_code == 404


def test_a_nul_in_the_address_is_refused(client):
    assert client.get("/search?q=%00").status_code == 422
    assert client.get("/api/v1/search?q=a%00b").status_code == 422


def test_a_request_over_one_mebibyte_is_refused(client):
    body = json.dumps({"title": "t", "body": "x" * MAX_BODY_BYTES})
    answer = client.post("/api/v1/boards/backache/threads", data=body, content_type="application/json")
    assert (answer.status_code, answer.json["code"]) == (413, "too-large")


@pytest.mark.parametrize(("size", "status"), [(1000, "200"), (MAX_BODY_BYTES, "200"), (MAX_BODY_BYTES + 1, "413")])
def test_a_chunked_body_is_read_whole_or_refused(size, status):
    seen = {}

    def app(environ, start_response):
        body = environ["wsgi.input"].read()
        seen["length"] = len(body)
        start_response("413" if int(environ["CONTENT_LENGTH"]) > MAX_BODY_BYTES else "200", [])
        return [b""]

    environ = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": io.BytesIO(b"x" * size)}
    answered = []
    list(WholeBody(app)(environ, lambda s, h: answered.append(s)))
    assert answered == [status]
    if status == "200":
        assert seen["length"] == size


def test_the_process_and_its_database_answer(client):
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/readyz").json == {"status": "ok"}


def test_metrics_are_for_this_machine_or_a_token(site):
    client = site.app.test_client()
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 404
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "203.0.113.9"}).status_code == 404
    guarded = site.build(metrics_token="a-long-token").test_client()
    headers = {"Authorization": "Bearer a-long-token"}
    assert guarded.get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": "203.0.113.9"}).status_code == 200


def test_the_log_has_one_line_per_request_without_what_was_searched(site, capfd):
    app = site.build(log_level="INFO")
    app.test_client().get("/search?q=something-private")
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    assert [line["path"] for line in lines if line["event"] == "request"] == ["/search"]
    assert "something-private" not in json.dumps(lines)
    site.disconnect(app)


def test_a_crash_is_a_kind_page_and_a_problem_without_details(site):
    app = site.build(testing=False)

    def broken():
        raise RuntimeError("secret detail")

    broken.boardwell_access = "public"
    app.add_url_rule("/broken", view_func=broken, endpoint="broken")
    app.add_url_rule("/api/v1/broken", view_func=broken, endpoint="broken_api")
    client = app.test_client()
    page, problem = client.get("/broken"), client.get("/api/v1/broken")
    assert page.status_code == problem.status_code == 500
    assert "secret detail" not in page.text + problem.text
    assert problem.json["code"] == "internal-error"
    site.disconnect(app)


def test_a_form_without_its_secret_is_a_problem_of_the_usual_shape(client, session):
    from tests.support.cast import make_member, sign_in

    sign_in(client, make_member(session, "ann"))
    answer = client.post("/api/v1/boards/backache/threads", json={})
    assert (answer.status_code, answer.json["code"], answer.json["errors"]) == (400, "csrf-failed", [])


@pytest.mark.parametrize("body", ["[" * 100_000, '{"version": ' + "1" * 5000 + "}", "{", "\ud800"])
def test_a_body_that_nobody_can_mean_is_a_bad_request(client, session, body):
    from tests.support.cast import make_member, token_for

    headers = {"Authorization": f"Bearer {token_for(make_member(session, 'ann'), ['read', 'write'])}"}
    raw = body.encode("utf-8", "surrogatepass")
    answer = client.post("/api/v1/boards/unsorted/threads", data=raw, headers=headers, content_type="application/json")
    assert (answer.status_code, answer.json["code"]) == (400, "bad-request")


def test_the_api_takes_json_only(client):
    answer = client.post("/api/v1/boards/unsorted/threads", data="kind=question", content_type="text/plain")
    assert (answer.status_code, answer.json["code"]) == (415, "unsupported-media-type")


def test_a_program_without_a_token_is_told_how_to_come_in(client):
    answer = client.get("/api/v1/me")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_the_description_of_the_api_names_problems_keys_and_ways_to_sign_in(client):
    document = client.get("/api/v1/openapi.json").json
    content = document["components"]["responses"]["DEFAULT_ERROR"]["content"]
    assert list(content) == ["application/problem+json"]
    problem = document["components"]["schemas"]["Problem"]
    assert set(problem["required"]) == {"type", "title", "status", "detail", "code", "errors"}
    assert document["components"]["securitySchemes"].keys() == {"token", "session"}
    for methods in document["paths"].values():
        if "post" in methods:
            assert "Idempotency-Key" in [p.get("name") for p in methods["post"]["parameters"]]


def test_a_database_that_is_away_is_said_plainly_and_the_typed_text_comes_back(site):
    from sqlalchemy.exc import OperationalError

    app = site.build(testing=False)

    def away():
        raise OperationalError("SELECT 1", {}, Exception("locked"))

    away.boardwell_access = "public"
    csrf.exempt(away)
    app.add_url_rule("/away", view_func=away, endpoint="away", methods=["GET", "POST"])
    app.add_url_rule("/api/v1/away", view_func=away, endpoint="away_api")
    # Nothing that a page needs from the database answers either.
    app.context_processor(away)
    client = app.test_client()
    page = client.post("/away", data={"body": "<b>typed</b> for an hour", "password": "hidden"})
    assert (page.status_code, page.headers["Retry-After"]) == (503, "30")
    assert "&lt;b&gt;typed&lt;/b&gt; for an hour" in page.text
    assert "hidden" not in page.text.split("<main")[1]
    problem = client.get("/api/v1/away")
    assert (problem.status_code, problem.json["code"]) == (503, "busy")
    site.disconnect(app)
