"""Sanctions, member records and one's own standing as people use them: real sign-ins, real forms, two browsers."""

import re

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auth.models import Member
from core.audit import AuditEntry
from core.vocabulary import CaseState, Role, SubjectKind
from forum.models import Board
from moderation import ladder, sanctions
from moderation.models import Case, Decision, Sanction, Statement
from tests.moderation.desk import Desk, html_of, text_of
from tests.support.cast import bearer, csrf_of, make_member, sign_in

REASON = "In three answers you called others names."


@pytest.fixture
def posted(desk: Desk, ann: Member) -> None:
    """Ann has written on the board Backache, so it is open."""
    desk.ask(ann)
    desk.session.commit()


def open_case(desk: Desk, by: Member, about: Member, **sent: str) -> str:
    """A case about a member, opened on the page of the record; returns its address."""
    answer = desk.post(by, f"/moderation/members/{about.handle}/cases", reason="Insults.", **sent)
    assert answer.status_code == 303, text_of(answer)
    return answer.location


def decide(desk: Desk, by: Member, url: str, **sent: str) -> str:
    """The case decided with a sanction on its page; returns the reference of the statement, or nothing."""
    case_id = int(url.rsplit("/", 1)[1])
    version = desk.session.execute(select(Case.version).where(Case.id == case_id)).scalar_one()
    fields = {"version": str(version), "verdict": "sanction", "rule": "R11-kind", "reason": REASON} | sent
    answer = desk.post(by, f"{url}/decide", **fields)
    assert answer.status_code == 303, text_of(answer)
    newest = select(Statement.reference).order_by(Statement.id.desc()).limit(1)
    return desk.session.execute(newest).scalar() or ""


# --- A case about a member, from the record to the standing ------------------------------------------------------


def test_a_warning_from_the_record_to_the_press_that_ends_it(
    desk: Desk, posted: None, ann: Member, mo: Member, mia: Member
) -> None:
    record = desk.get(mo, "/moderation/members/ann")
    assert record.status_code == 200
    url = open_case(desk, mo, ann)
    page = desk.get(mia, url)
    assert page.status_code == 200
    assert "Insults." in text_of(page)
    assert "No live strike here: reminder." in text_of(page)
    assert 'value="suspension"' not in html_of(page)
    assert "only leads" in text_of(page)
    assert "About a member" in text_of(desk.get(mia, "/moderation/"))
    reference = decide(desk, mia, url, **{"sanction.kind": "warning"})
    statement = text_of(desk.app.test_client().get(f"/decisions/{reference}"))
    assert REASON in statement and "We warn you." in statement
    assert f"/decisions/{reference}" in html_of(desk.get(ann, "/me/decisions"))
    assert f"/decisions/{reference}" in html_of(desk.get(mia, "/moderation/recent"))
    assert desk.app.test_client().get("/modlog").status_code == 200
    standing = desk.get(ann, "/me/standing")
    assert "Please read our warning" in text_of(standing)
    assert f"/decisions/{reference}" in html_of(standing)
    refused = desk.post(ann, "/boards/backache/ask", kind="question", title="Again?", body="It hurts.", intent="send")
    assert refused.status_code == 403
    press = re.search(r'action="(/me/warnings/\d+/acknowledge)"', html_of(standing))
    assert press
    assert desk.post(ann, press[1]).status_code == 303
    assert press[1] not in html_of(desk.get(ann, "/me/standing"))
    assert "You have 1 strike." in text_of(desk.get(ann, "/me/standing"))
    sent = desk.post(ann, "/boards/backache/ask", kind="question", title="Again?", body="It hurts.", intent="send")
    assert sent.status_code == 303


def test_the_press_of_somebody_else_does_not_exist(
    desk: Desk, posted: None, ann: Member, ben: Member, mo: Member, mia: Member
) -> None:
    decide(desk, mia, open_case(desk, mo, ann), **{"sanction.kind": "warning"})
    sanction_id = desk.session.execute(select(Sanction.id)).scalar_one()
    assert desk.post(ben, f"/me/warnings/{sanction_id}/acknowledge").status_code == 404
    assert desk.get(ann, f"/me/warnings/{sanction_id}/acknowledge").status_code == 405


def test_a_suspension_signs_every_browser_out_at_once(
    desk: Desk, posted: None, ann: Member, mo: Member, lea: Member
) -> None:
    decide(desk, lea, open_case(desk, mo, ann), **{"sanction.kind": "warning"})
    phone, laptop = sign_in(desk.app.test_client(), ann), sign_in(desk.app.test_client(), ann)
    program = bearer(ann)
    for browser in (phone, laptop):
        assert browser.get("/me/").status_code == 200
    assert desk.app.test_client().get("/api/v1/me", headers=program).status_code == 200
    url = open_case(desk, mo, ann)
    assert "1 live strike here" in text_of(desk.get(lea, url))
    reference = decide(desk, lea, url, **{"sanction.kind": "suspension", "sanction.days": "30"})
    for browser in (phone, laptop):
        answer = browser.get("/me/")
        assert (answer.status_code, answer.location.split("?")[0]) == (302, "/login")
        sent = browser.post("/boards/backache/ask", data={"title": "x"})
        assert sent.status_code in (302, 303, 400)
    refused = desk.app.test_client().get("/api/v1/me", headers=program)
    assert (refused.status_code, refused.json["code"]) == (403, "suspended")
    # She signs in again, to her decisions and nothing else.
    again = sign_in(desk.app.test_client(), ann)
    assert again.get("/me/standing").status_code == 200
    assert again.get(f"/decisions/{reference}").status_code == 200
    assert again.get("/me/").status_code == 403
    assert again.get("/me/reports").status_code == 403


def test_without_a_warning_a_suspension_is_refused_and_the_form_kept(
    desk: Desk, posted: None, ann: Member, mo: Member, lea: Member
) -> None:
    url = open_case(desk, mo, ann)
    page = desk.get(lea, url)
    assert 'value="suspension"' not in html_of(page)
    assert "no live warning before it" in text_of(page)
    sent = {"sanction.kind": "suspension", "sanction.days": "30", "rule": "R11-kind", "reason": REASON}
    answer = desk.post(lea, f"{url}/decide", version="1", verdict="sanction", **sent)
    assert answer.status_code == 422
    assert "Nobody is suspended without a warning before." in text_of(answer)
    assert REASON in text_of(answer)
    assert desk.session.execute(select(func.count(Sanction.id))).scalar_one() == 0


def test_a_wrong_number_of_days_comes_back_at_its_field(
    desk: Desk, posted: None, ann: Member, mo: Member, mia: Member
) -> None:
    url = open_case(desk, mo, ann, board="backache")
    sent = {"sanction.kind": "board_restriction", "sanction.days": "900", "sanction.board": "backache"}
    answer = desk.post(mia, f"{url}/decide", version="1", verdict="sanction", rule="R11-kind", reason=REASON, **sent)
    assert answer.status_code == 422
    assert 'href="#sanction.days"' in html_of(answer)
    assert 'value="900"' in html_of(answer)
    sent["sanction.days"] = "7"
    decide(desk, mia, url, **sent)
    refused = desk.post(ann, "/boards/backache/ask", kind="question", title="Again?", body="It hurts.", intent="send")
    assert refused.status_code == 403
    assert (
        desk.post(
            ann, "/boards/unsorted/ask", kind="question", title="Again?", body="It hurts.", intent="send"
        ).status_code
        == 303
    )


def test_a_posting_limit_tells_when_one_can_write_again(
    desk: Desk, posted: None, ann: Member, mo: Member, mia: Member
) -> None:
    sent = {"sanction.kind": "posting_limit", "sanction.days": "7", "sanction.daily_limit": "1"}
    decide(desk, mia, open_case(desk, mo, ann), **sent)
    answer = desk.post(ann, "/boards/backache/ask", kind="question", title="Again?", body="It hurts.", intent="send")
    assert answer.status_code == 429
    assert "You can write 1 posts in 24 hours" in text_of(answer)
    assert "It hurts." in text_of(answer)


def test_a_sanction_can_go_with_the_verdict_on_a_post(desk: Desk, ann: Member, ben: Member, mo: Member) -> None:
    post = desk.ask(ann)
    desk.report(ben, post)
    url = desk.case_url(post)
    assert "No live strike here: reminder." in text_of(desk.get(mo, url))
    decide(desk, mo, url, verdict="hide", **{"sanction.kind": "warning"})
    assert "Please read our warning" in text_of(desk.get(ann, "/me/standing"))


# --- Who gets in -------------------------------------------------------------------------------------------------

PAGES = ["/moderation/members/", "/moderation/members/ben", "/moderation/ladder"]


@pytest.mark.parametrize("path", PAGES)
def test_the_teams_pages_are_for_the_team(desk: Desk, path: str, ann: Member, ben: Member, lea: Member) -> None:
    desk.session.commit()
    assert desk.app.test_client().get(path).status_code == 302
    assert desk.get(ann, path).status_code == 403
    assert desk.get(lea, path).status_code == 200


def test_nobody_reads_the_teams_record_of_themselves(desk: Desk, mo: Member, mia: Member) -> None:
    desk.session.commit()
    assert desk.get(mo, "/moderation/members/mo").status_code == 403
    assert desk.get(mia, "/moderation/members/mo").status_code == 200
    assert desk.get(mia, "/moderation/members/nobody").status_code == 404


def test_reading_a_record_is_written_down_once_an_hour(
    desk: Desk, session: Session, ann: Member, mo: Member, mia: Member
) -> None:
    session.commit()
    for reader in (mo, mo, mia):
        desk.get(reader, "/moderation/members/ann")
    stmt = select(AuditEntry.actor_id).where(AuditEntry.action == "member.read_record").order_by(AuditEntry.id)
    assert list(session.execute(stmt).scalars()) == [mo.id, mia.id]


def test_a_moderator_of_one_board_opens_cases_there_and_only_leads_change_the_ladder(
    desk: Desk, posted: None, ann: Member, lea: Member
) -> None:
    board_id = desk.session.execute(select(Board.id).where(Board.slug == "backache")).scalar_one()
    olga = make_member(desk.session, "olga", roles=[Role.MODERATOR], board_id=board_id)
    desk.session.commit()
    answer = desk.post(olga, "/moderation/members/ann/cases", reason="Insults.")
    assert answer.status_code == 403
    url = open_case(desk, olga, ann, board="backache")
    kinds = set(re.findall(r'name="sanction.kind" value="(\w+)"', html_of(desk.get(olga, url))))
    assert kinds == {"reminder", "warning", "posting_limit", "board_restriction"}
    assert desk.get(olga, "/moderation/ladder").status_code == 403


def test_the_same_case_is_not_opened_twice(desk: Desk, posted: None, ann: Member, mo: Member, mia: Member) -> None:
    url = open_case(desk, mo, ann)
    assert open_case(desk, mia, ann) == url
    empty = desk.post(mo, "/moderation/members/ben-is-nobody/cases", reason="x")
    assert empty.status_code == 404


def test_a_record_is_found_by_name(desk: Desk, ann: Member, mo: Member) -> None:
    desk.session.commit()
    assert desk.get(mo, "/moderation/members/?handle=@ANN").location == "/moderation/members/ann"
    missing = desk.get(mo, "/moderation/members/?handle=nobody")
    assert missing.status_code == 404
    assert 'value="nobody"' in html_of(missing)


def test_leads_write_a_boards_ladder(desk: Desk, posted: None, lea: Member) -> None:
    ladder.load_shipped(desk.session)
    desk.session.commit()
    assert "Posting limit" in text_of(desk.get(lea, "/moderation/ladder"))
    wrong = desk.post(lea, "/moderation/ladder", board="backache", **{"strikes-0": "2", "kind-0": "suspension"})
    assert wrong.status_code == 422
    assert 'href="#days-0"' in html_of(wrong)
    sent = {"strikes-0": "2", "kind-0": "board_restriction", "days-0": "3"}
    assert desk.post(lea, "/moderation/ladder", board="backache", **sent).status_code == 303
    page = html_of(desk.get(lea, "/moderation/ladder?board=backache"))
    assert "Follow the general ladder again" in page
    assert desk.post(lea, "/moderation/ladder", board="backache", turn="reset").status_code == 303
    assert "Follow the general ladder again" not in html_of(desk.get(lea, "/moderation/ladder?board=backache"))


# --- Two browsers ------------------------------------------------------------------------------------------------


def test_two_leads_decide_one_member_case_and_one_is_first(
    desk: Desk, posted: None, ann: Member, mo: Member, lea: Member
) -> None:
    url = open_case(desk, mo, ann)
    lou = make_member(desk.session, "lou", roles=[Role.LEAD])
    desk.session.commit()
    fields = {"verdict": "sanction", "rule": "R11-kind", "reason": REASON, "sanction.kind": "reminder", "version": "1"}
    assert desk.post(lea, f"{url}/decide", **fields).status_code == 303
    late = desk.post(lou, f"{url}/decide", **fields)
    assert late.status_code == 409
    assert REASON in text_of(late)
    assert desk.session.execute(select(func.count(Sanction.id))).scalar_one() == 1


def test_the_end_of_an_account_takes_two_browsers(
    desk: Desk, posted: None, ann: Member, mo: Member, lea: Member
) -> None:
    hers = sign_in(desk.app.test_client(), ann)
    url = open_case(desk, mo, ann)
    decide(desk, lea, url, **{"sanction.kind": "termination"})
    assert hers.get("/me/").status_code == 200
    case = desk.session.execute(
        select(Case).where(Case.subject_kind == SubjectKind.MEMBER).execution_options(populate_existing=True)
    ).scalar_one()
    assert case.state is CaseState.AWAITING_SECOND
    decision_id = desk.session.execute(select(Decision.id).where(Decision.case_id == case.id)).scalar_one()
    silent = desk.post(mo, f"/moderation/decisions/{decision_id}/confirm", agrees="0", reason="")
    assert silent.status_code == 422 and 'href="#second-reason"' in html_of(silent)
    scope = ("read", "write", "moderate")
    path = f"/api/v1/moderation/decisions/{decision_id}/confirmations"
    first = desk.app.test_client().post(path, json={"agrees": True}, headers=bearer(lea, scope))
    assert first.status_code == 403
    second = desk.app.test_client().post(path, json={"agrees": True}, headers=bearer(mo, scope))
    assert second.status_code == 201, second.json
    assert hers.get("/me/").status_code == 302
    assert "no end date" in text_of(sign_in(desk.app.test_client(), ann).get("/me/standing"))


# --- Reports -----------------------------------------------------------------------------------------------------


def test_a_reporter_takes_a_report_back_on_its_page(desk: Desk, ann: Member, ben: Member, cora: Member) -> None:
    post = desk.ask(ann, title="Which mattress is best?")
    reference = desk.report(ben, post)
    desk.session.commit()
    stranger = html_of(desk.app.test_client().get(f"/reports/{reference}"))
    assert "/withdraw" not in stranger
    assert desk.post(cora, f"/reports/{reference}/withdraw").status_code == 403
    assert "Which mattress is best?" in text_of(desk.get(ben, "/me/reports"))
    assert f"/reports/{reference}/withdraw" in html_of(desk.get(ben, "/me/reports"))
    assert desk.post(ben, f"/reports/{reference}/withdraw").status_code == 303
    page = desk.get(ben, f"/reports/{reference}")
    assert "You took it back" in text_of(page)
    assert "/withdraw" not in html_of(page)
    assert desk.case_of(post).state is CaseState.MOOT
    assert "Which mattress" not in text_of(desk.get(cora, "/me/reports"))


def test_a_report_decided_meanwhile_is_shown_instead(desk: Desk, ann: Member, ben: Member, mo: Member) -> None:
    post = desk.ask(ann)
    reference = desk.report(ben, post)
    desk.decide(mo, post, "hide")
    desk.session.commit()
    assert desk.post(ben, f"/reports/{reference}/withdraw").status_code == 303
    assert "the post is hidden" in text_of(desk.get(ben, f"/reports/{reference}"))


# --- The same for programs ---------------------------------------------------------------------------------------


def test_programs_read_standing_and_reports_and_take_reports_back(
    desk: Desk, ann: Member, ben: Member, cora: Member
) -> None:
    post = desk.ask(ann)
    reference = desk.report(ben, post)
    desk.session.commit()
    client, his = desk.app.test_client(), bearer(ben)
    standing = client.get("/api/v1/me/standing", headers=his)
    assert (standing.status_code, standing.json["strikes"], standing.json["in_force"]) == (200, 0, [])
    assert standing.json["next_step"] == {"kind": "reminder", "days": None}
    listed = client.get("/api/v1/me/reports", headers=his).json["items"]
    assert [(row["reference"], row["status"]) for row in listed] == [(reference, "open")]
    path = f"/api/v1/reports/{reference}"
    assert client.delete(path).status_code == 401
    assert client.delete(path, headers=bearer(ben, ["read"])).status_code == 403
    assert client.delete(path, headers=bearer(cora)).status_code == 403
    assert client.delete("/api/v1/reports/" + "0" * 32, headers=his).status_code == 404
    assert client.delete(path, headers=his).status_code == 204
    assert client.delete(path, headers=his).status_code == 204
    assert client.get(path).json["status"] == "withdrawn"


def test_programs_sanction_as_pages_do(desk: Desk, posted: None, ann: Member, mo: Member, mia: Member) -> None:
    client, scope = desk.app.test_client(), ("read", "write", "moderate")
    record = client.get("/api/v1/moderation/members/ann", headers=bearer(mo, scope))
    assert (record.status_code, record.json["strikes"], record.json["live_case_id"]) == (200, 0, None)
    assert "example.org" not in record.get_data(as_text=True)
    assert client.get("/api/v1/moderation/members/ann", headers=bearer(ann)).status_code == 403
    opened = client.post("/api/v1/moderation/members/ann/cases", json={"reason": "Insults."}, headers=bearer(mo, scope))
    assert opened.status_code == 201
    again = client.post("/api/v1/moderation/members/ann/cases", json={"reason": "Insults."}, headers=bearer(mo, scope))
    assert (again.status_code, again.json["case_id"]) == (409, opened.json["id"])
    path = f"/api/v1/moderation/cases/{opened.json['id']}"
    case = client.get(path, headers=bearer(mia, scope)).json
    assert (case["subject"], case["post_id"], case["title"]) == ("member", None, "ann")
    assert set(case["allowed_verdicts"]) == {"dismiss", "sanction", "escalate"}
    listed = client.get("/api/v1/moderation/cases", headers=bearer(mia, scope)).json["items"]
    assert [row["subject"] for row in listed] == ["member"]
    sent = {"version": opened.json["version"], "verdict": "sanction", "rule": "R11-kind", "reason": REASON}
    wrong = client.post(
        f"{path}/decisions", json=sent | {"sanction": {"kind": "suspension", "days": 3}}, headers=bearer(mia, scope)
    )
    assert wrong.status_code in (403, 422)
    done = client.post(f"{path}/decisions", json=sent | {"sanction": {"kind": "warning"}}, headers=bearer(mia, scope))
    assert done.status_code == 201, done.json
    assert done.json["statement"]["restriction"] == "warning"
    refused = client.post(
        "/api/v1/boards/backache/threads",
        json={"kind": "question", "title": "Again?", "body": "It hurts."},
        headers=bearer(ann),
    )
    assert (refused.status_code, refused.json["code"]) == (403, "warning-open")
    mine = client.get("/api/v1/me/standing", headers=bearer(ann)).json
    assert [(row["kind"], row["is_in_force"]) for row in mine["in_force"]] == [("warning", True)]


def test_the_worker_ends_what_has_run_out(desk: Desk, posted: None, ann: Member, mo: Member, mia: Member) -> None:
    sent = {"sanction.kind": "posting_limit", "sanction.days": "1"}
    decide(desk, mia, open_case(desk, mo, ann), **sent)
    given = desk.session.execute(select(Sanction)).scalar_one()
    assert given.until is not None
    assert sanctions.finish_ended(desk.session, now=given.until) == 1
    desk.session.commit()
    assert "A limit on your account has ended." in text_of(desk.get(ann, "/me/notifications"))
    assert csrf_of(desk.client(ann), "/boards/backache/ask")
