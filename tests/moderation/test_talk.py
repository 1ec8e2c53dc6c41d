"""Talk between the team and one member: who reads it, what is told, what is refused, and that no text is lost."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.models import Member, Restriction
from core import limits
from core.audit import AuditEntry
from core.db import utc_now
from core.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from core.vocabulary import RestrictionKind, Role
from moderation import talk
from moderation.models import Talk
from tests.flows.scene import deliver
from tests.moderation.desk import Desk, html_of, text_of
from tests.moderation.stage import Stage
from tests.support.cast import bearer, make_member


def begin(stage: Stage, **more: Any) -> Talk:
    values = {"by": stage.mo, "subject": "Your question", "text": "May we **help** you?", "now": stage.now, **more}
    return talk.open_talk(stage.session, stage.ann.id or 0, **values)


def answer(stage: Stage, talk_id: int, **more: Any) -> None:
    values = {"by": stage.ann, "text": "Yes, please.", "settings": stage.settings, "now": stage.now, **more}
    talk.answer(stage.session, talk_id, **values)


def listed(stage: Stage, which: str) -> list[int]:
    return [row.id for row in talk.team_list(stage.session, stage.mia, now=stage.now, which=which).items]


def test_the_member_reads_the_team_and_no_name(stage: Stage) -> None:
    made = begin(stage)
    answer(stage, made.id)
    talk.write(stage.session, made.id, by=stage.mia, text="Gladly.", now=stage.now)
    mine = talk.own_page(stage.session, stage.ann, made.id, now=stage.now)
    assert [(m.by_team, m.author) for m in mine.messages] == [(True, None), (False, None), (True, None)]
    assert "<strong>help</strong>" in mine.messages[0].html
    ours = talk.page(stage.session, stage.lea, made.id, now=stage.now)
    assert [m.author for m in ours.messages] == ["mo", None, "mia"]
    assert stage.told(stage.ann)[-2:] == ["talk", "talk"]
    stage.sound()


def test_the_team_sees_what_it_owes_an_answer(stage: Stage) -> None:
    made, other = begin(stage), begin(stage, subject="Another")
    answer(stage, made.id)
    assert [row.id for row in talk.team_list(stage.session, stage.mia, now=stage.now, which="awaiting").items] == [
        made.id
    ]
    assert talk.waiting(stage.session, stage.mia, now=stage.now) == talk.Waiting(awaiting=1, due=0)
    talk.write(stage.session, made.id, by=stage.mia, text="Here it is.", now=stage.now)
    assert talk.waiting(stage.session, stage.mia, now=stage.now).awaiting == 0
    talk.close(stage.session, other.id, by=stage.mia, now=stage.now)
    assert [row.id for row in talk.team_list(stage.session, stage.mo, now=stage.now, which="closed").items] == [
        other.id
    ]
    stage.sound()


def test_a_moderator_sees_no_talk_with_themselves_but_as_a_member(stage: Stage) -> None:
    made = talk.open_talk(
        stage.session, stage.mia.id or 0, by=stage.mo, subject="You", text="About you.", now=stage.now
    )
    assert talk.team_list(stage.session, stage.mia, now=stage.now).items == []
    for act in (
        lambda: talk.page(stage.session, stage.mia, made.id, now=stage.now),
        lambda: talk.write(stage.session, made.id, by=stage.mia, text="I.", now=stage.now),
        lambda: talk.close(stage.session, made.id, by=stage.mia, now=stage.now),
    ):
        with pytest.raises(Forbidden):
            act()
    assert talk.own_page(stage.session, stage.mia, made.id, now=stage.now).messages[0].author is None


def test_other_members_do_not_know_of_it(stage: Stage) -> None:
    made = begin(stage)
    with pytest.raises(NotFound):
        talk.own_page(stage.session, stage.ben, made.id, now=stage.now)
    with pytest.raises(NotFound):
        answer(stage, made.id, by=stage.ben)
    with pytest.raises(Forbidden):
        begin(stage, by=stage.ben)


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ({"subject": " ", "text": ""}, {"subject", "text"}),
        ({"text": "x" * (talk.TEXT_CHARS + 1)}, {"text"}),
        ({"subject": "x" * (talk.SUBJECT_CHARS + 1)}, {"subject"}),
    ],
)
def test_what_cannot_be_sent_names_its_fields(stage: Stage, more: dict[str, Any], fields: set[str]) -> None:
    with pytest.raises(Invalid) as refused:
        begin(stage, **more)
    assert {field for field, _ in refused.value.errors} == fields
    with pytest.raises(Invalid):
        begin(stage, follow_up_at=stage.now - timedelta(days=1))


def test_nobody_writes_past_what_a_colleague_or_the_member_wrote(stage: Stage) -> None:
    made = begin(stage)
    read = talk.page(stage.session, stage.mia, made.id, now=stage.now).last_message
    answer(stage, made.id)
    with pytest.raises(Conflict) as refused:
        talk.write(stage.session, made.id, by=stage.mia, text="Hello?", last_message=read, now=stage.now)
    assert refused.value.code == "talk-changed"


def test_an_ended_talk_takes_no_words_until_it_is_open_again(stage: Stage) -> None:
    made = begin(stage, follow_up_at=stage.now + timedelta(days=3))
    talk.close(stage.session, made.id, by=stage.mo, now=stage.now)
    assert made.follow_up_at is None
    for act in (
        lambda: answer(stage, made.id),
        lambda: talk.write(stage.session, made.id, by=stage.mo, text="One more.", now=stage.now),
        lambda: talk.close(stage.session, made.id, by=stage.mo, now=stage.now),
    ):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.code == "talk-closed"
    talk.reopen(stage.session, made.id, by=stage.mia, now=stage.now)
    answer(stage, made.id)
    with pytest.raises(Conflict):
        talk.reopen(stage.session, made.id, by=stage.mia, now=stage.now)
    stage.sound()


def suspend(session: Session, member_id: int, now: Any) -> None:
    session.add(Restriction(member_id=member_id, kind=RestrictionKind.SUSPENDED, since=now))
    session.flush()


@pytest.mark.parametrize("why", ["member-suspended", "member-gone"])
def test_nobody_is_written_to_who_could_not_read_it(stage: Stage, why: str) -> None:
    made = begin(stage)
    if why == "member-gone":
        stage.members["ann"].closed_at = stage.now
        stage.session.flush()
    else:
        suspend(stage.session, stage.ann.id or 0, stage.now)
    for act in (
        lambda: begin(stage),
        lambda: talk.write(stage.session, made.id, by=stage.mo, text="Hi.", now=stage.now),
    ):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.code == why


def test_a_talk_is_tied_to_a_case_about_this_member_only(stage: Stage) -> None:
    post, case = stage.held()
    made = talk.open_talk(
        stage.session, post.author_id, by=stage.mo, subject="It", text="Hello.", case_id=case.id, now=stage.now
    )
    assert made.case_id == case.id
    with pytest.raises(NotFound):
        begin(stage, case_id=case.id)


def test_a_follow_up_reminds_the_team_and_writes_to_nobody(stage: Stage) -> None:
    _post, case = stage.held()
    cora = stage.cora.id or 0
    in_three = stage.now + timedelta(days=3)
    made = talk.follow_up(stage.session, cora, case_id=case.id, at=in_three, now=stage.now)
    again = talk.follow_up(stage.session, cora, case_id=case.id, at=in_three + timedelta(days=1), now=stage.now)
    assert again.id == made.id and again.follow_up_at == in_three
    assert talk.own_list(stage.session, stage.cora, now=stage.now).items == []
    with pytest.raises(NotFound):
        talk.own_page(stage.session, stage.cora, made.id, now=stage.now)
    assert "talk" not in stage.told(stage.cora)
    assert talk.waiting(stage.session, stage.mo, now=stage.now).due == 0
    assert talk.waiting(stage.session, stage.mo, now=in_three).due == 1
    assert [row.is_due for row in talk.team_list(stage.session, stage.mo, now=in_three, which="due").items] == [True]
    talk.write(stage.session, made.id, by=stage.mo, text="How are you?", now=in_three)
    assert len(talk.own_list(stage.session, stage.cora, now=in_three).items) == 1
    talk.set_follow_up(stage.session, made.id, by=stage.mo, at=None, now=in_three)
    assert talk.waiting(stage.session, stage.mo, now=in_three).due == 0
    stage.sound()


def test_the_log_tells_that_somebody_wrote_and_never_what(stage: Stage) -> None:
    made = begin(stage, text="zqtalkwords")
    answer(stage, made.id, text="zqtalkwords too")
    rows = stage.session.execute(select(AuditEntry).where(AuditEntry.subject_kind == "talk")).scalars().all()
    assert [row.action for row in rows] == ["talk.open", "talk.answer"]
    assert "zqtalkwords" not in str([(row.details, row.reason) for row in rows])


# --- Doors -------------------------------------------------------------------------------------------------------


def test_team_and_member_talk_through_the_pages(desk: Desk, site: Any, ann: Member, mo: Member, mia: Member) -> None:
    sent = desk.post(mo, "/moderation/talk/new", handle="ann", subject="Your question", text="zqhello there")
    assert sent.status_code == 303
    talk_id = int(sent.location.rsplit("/", 1)[1])
    deliver(desk.app)
    mails = "".join(path.read_text() for path in (site.instance / "mail").glob("*.eml"))
    assert "moderation team" in mails and "zqhello" not in mails and "Your question" not in mails
    page = text_of(desk.get(ann, f"/me/talk/{talk_id}"))
    assert "The moderation team" in page and "zqhello there" in page
    assert " mo," not in page and "(mo)" not in page
    assert "Your question" in text_of(desk.get(ann, "/me/talk/"))
    assert desk.post(ann, f"/me/talk/{talk_id}", text="zqthanks").status_code == 303
    assert "1 member waits for our answer" in text_of(desk.get(mia, "/moderation/"))
    ours = text_of(desk.get(mia, f"/moderation/talk/{talk_id}"))
    assert "zqthanks" in ours and "(mo)" in ours and "We answer next" in ours
    assert "Your question" in text_of(desk.get(mia, "/moderation/talk/?list=awaiting"))
    planned = desk.post(mia, f"/moderation/talk/{talk_id}/follow-up", follow_up="2099-03-31")
    assert planned.status_code == 303
    assert "31 Mar 2099" in text_of(desk.get(mo, "/moderation/talk/"))
    assert desk.post(mia, f"/moderation/talk/{talk_id}/state", turn="close").status_code == 303
    late = desk.post(ann, f"/me/talk/{talk_id}", text="zqtoolate")
    assert late.status_code == 409 and "zqtoolate" in text_of(late)


def test_typed_text_comes_back(desk: Desk, ann: Member, mo: Member) -> None:
    typed = {"subject": "Hm", "text": "zqlong words", "follow_up": "soon"}
    refused = desk.post(mo, "/moderation/talk/new", handle="nobody", **typed)
    assert refused.status_code == 422
    assert "zqlong words" in text_of(refused) and "There is no member of this name." in text_of(refused)
    refused = desk.post(mo, "/moderation/talk/new", handle="ann", **typed)
    assert refused.status_code == 422 and 'value="soon"' in html_of(refused)


def test_the_case_page_leads_to_its_author(desk: Desk, cora: Member, mo: Member) -> None:
    post = desk.ask(cora)
    case = desk.case_of(post).id
    assert f"/moderation/talk/new?handle=cora&amp;case={case}" in html_of(desk.get(mo, desk.case_url(post)))
    form = text_of(desk.get(mo, f"/moderation/talk/new?handle=cora&case={case}"))
    assert f"case {case}" in form
    made = desk.post(mo, "/moderation/talk/new", handle="cora", case=str(case), subject="It", text="Hello.")
    assert f"/moderation/cases/{case}" in html_of(desk.get(mo, made.location))


def test_a_suspended_member_cannot_talk(desk: Desk, session: Session, ann: Member, mo: Member) -> None:
    made = desk.post(mo, "/moderation/talk/new", handle="ann", subject="It", text="Hello.")
    talk_id = made.location.rsplit("/", 1)[1]
    desk.client(ann)
    desk.token(ann)
    suspend(session, ann.id, utc_now())
    session.commit()
    assert desk.get(ann, f"/me/talk/{talk_id}").status_code == 403
    assert desk.post(ann, f"/me/talk/{talk_id}", text="Why?").status_code == 403
    assert "They answer by an objection" in text_of(desk.get(mo, f"/moderation/talk/{talk_id}"))


def test_talk_by_the_api(app: Flask, desk: Desk, ann: Member, ben: Member, mo: Member) -> None:
    client, team, mine = app.test_client(), bearer(mo, "read,moderate"), bearer(ann, "read,write")
    made = client.post(
        "/api/v1/moderation/talk", json={"member": "ann", "subject": "It", "text": "Hello."}, headers=team
    )
    assert made.status_code == 201 and made.json["messages"][0]["author"] == "mo"
    talk_id = made.json["id"]
    seen = client.get(f"/api/v1/me/talk/{talk_id}", headers=mine).json
    assert "author" not in seen["messages"][0] and "case_id" not in seen
    assert client.get(f"/api/v1/me/talk/{talk_id}", headers=bearer(ben)).status_code == 404
    said = client.post(f"/api/v1/me/talk/{talk_id}/messages", json={"text": "Hi."}, headers=mine)
    assert said.status_code == 201 and said.json["awaits_team"]
    path = f"/api/v1/moderation/talk/{talk_id}"
    stale = {"text": "Well.", "last_message": made.json["last_message"]}
    late = client.post(f"{path}/messages", json=stale, headers=team)
    assert (late.status_code, late.json["code"]) == (409, "talk-changed")
    closed = client.patch(path, json={"closed": True}, headers=team)
    assert closed.status_code == 200 and closed.json["closed_at"]
    assert client.get("/api/v1/moderation/talk?list=closed", headers=team).json["items"][0]["id"] == talk_id
    assert client.get("/api/v1/moderation/talk?list=lost", headers=team).status_code == 422


def test_a_limit_keeps_a_member_from_flooding_the_team(stage: Stage, site: Any) -> None:
    limited = site.build(limits=True).extensions["boardwell.settings"]
    made = begin(stage)
    for _ in range(limits.LIMITS["talk"].count):
        answer(stage, made.id, settings=limited)
    with pytest.raises(TooMany):
        answer(stage, made.id, settings=limited)


def test_the_record_shows_what_was_talked_about(desk: Desk, session: Session, ann: Member, mo: Member) -> None:
    make_member(session, "mia", roles=[Role.MODERATOR])
    desk.post(mo, "/moderation/talk/new", handle="ann", subject="A kind word", text="Hello.")
    assert "A kind word" in text_of(desk.get(mo, "/moderation/members/ann"))
