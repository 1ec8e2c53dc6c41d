"""Notes about members, patrol, board notices and the announcement."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.models import Member
from core.db import utc_now
from core.errors import Forbidden, Invalid, NotFound
from core.vocabulary import Role, Verdict
from forum import boards
from moderation import announcement, notes, patrol
from moderation.models import MemberNote, PatrolMark
from tests.moderation.desk import Desk, html_of, text_of
from tests.moderation.stage import Stage, actor_for, make_condition
from tests.support.cast import bearer, make_member

# --- Notes -------------------------------------------------------------------------------------------------------


def test_the_team_reads_notes_about_others_and_never_about_itself(stage: Stage) -> None:
    notes.add(stage.session, stage.ann.id or 0, by=stage.mo, text="Writes best in the evening.", now=stage.now)
    found = notes.about(stage.session, stage.ann.id or 0, by=stage.lea)
    assert [(note.author, note.text) for note in found] == [("mo", "Writes best in the evening.")]
    notes.add(stage.session, stage.mia.id or 0, by=stage.mo, text="Needs a rest.", now=stage.now)
    for who, about in ((stage.mia, stage.mia), (stage.ann, stage.ann), (stage.ben, stage.ann)):
        with pytest.raises(Forbidden):
            notes.about(stage.session, about.id or 0, by=who)
        with pytest.raises(Forbidden):
            notes.add(stage.session, about.id or 0, by=who, text="I.", now=stage.now)
    stage.sound()


@pytest.mark.parametrize("text", ["", " \n", "x" * (notes.NOTE_CHARS + 1)])
def test_an_empty_or_endless_note_is_refused(stage: Stage, text: str) -> None:
    with pytest.raises(Invalid):
        notes.add(stage.session, stage.ann.id or 0, by=stage.mo, text=text, now=stage.now)


def test_notes_stand_on_the_record_and_come_back_when_refused(desk: Desk, ann: Member, mo: Member) -> None:
    url = "/moderation/members/ann/notes"
    assert desk.post(mo, url, text="zqnote of ours").location == "/moderation/members/ann#notes"
    assert "zqnote of ours" in text_of(desk.get(mo, "/moderation/members/ann"))
    refused = desk.post(mo, url, text="x" * 3_000)
    assert refused.status_code == 422 and "x" * 3_000 in html_of(refused)
    assert desk.get(ann, url).status_code == 403
    assert desk.get(mo, "/moderation/members/mo/notes").status_code == 403
    headers = bearer(mo, "read,moderate")
    api = f"/api/v1{url}"
    made = desk.app.test_client().post(api, json={"text": "By a program."}, headers=headers)
    assert made.status_code == 201 and made.json["items"][0]["text"] == "By a program."
    assert desk.app.test_client().get(api, headers=bearer(ann)).status_code == 403


# --- Patrol ------------------------------------------------------------------------------------------------------


def unread(stage: Stage, actor: Any = None, **more: Any) -> list[int]:
    values = {"now": stage.now, **more}
    return [post.id for post in patrol.unread(stage.session, actor or stage.mo, **values).items]


def test_patrol_lists_public_posts_that_nobody_has_read_the_newest_first(stage: Stage) -> None:
    already = unread(stage, limit=100)
    first = stage.ask(now=stage.now + timedelta(minutes=1)).post
    second = stage.answer(first.thread_id, now=stage.now + timedelta(minutes=2)).post
    stage.held()
    own = stage.answer(first.thread_id, stage.mo, now=stage.now + timedelta(minutes=3)).post
    later = stage.now + timedelta(minutes=5)
    # What a person approved was read then, so only what went straight through is listed.
    assert unread(stage, now=later, limit=100)[:2] == [second.id, first.id]
    assert unread(stage, stage.mia, now=later)[0] == own.id or stage.post(own.id).state != "published"
    assert patrol.see(stage.session, stage.mia, [second.id], now=later) == 1
    assert patrol.see(stage.session, stage.mo, [second.id], now=later) == 0
    assert unread(stage, now=later, limit=100) == [first.id, *already]
    assert unread(stage, now=stage.now + patrol.WINDOW + timedelta(hours=1)) == []
    stage.sound()


def test_a_decided_case_and_an_opened_post_count_as_read(stage: Stage) -> None:
    post, case = stage.reported()
    other = stage.ask().post
    assert {post.id, other.id} <= set(unread(stage, limit=100))
    stage.decide(case, Verdict.DISMISS)
    assert patrol.open_post(stage.session, stage.mo, other.id, now=stage.now) == f"/posts/{other.id}"
    assert not {post.id, other.id} & set(unread(stage, limit=100))


def test_patrol_keeps_to_ones_own_boards(stage: Stage) -> None:
    make_condition(stage.session, stage.now, "Gout")
    here, there = stage.ask().post, stage.ask(board_slug="gout").post
    gout = boards.ensure(stage.session, "gout", stage.now)
    gus = actor_for(stage.members["mia"], Role.MODERATOR, board_ids=frozenset({gout.id}))
    assert unread(stage, gus) == [there.id]
    assert patrol.see(stage.session, gus, [here.id, there.id], now=stage.now) == 1
    with pytest.raises(NotFound):
        patrol.open_post(stage.session, gus, here.id, now=stage.now)
    assert unread(stage, board="gout") == []
    with pytest.raises(Forbidden):
        patrol.unread(stage.session, stage.ann, now=stage.now)
    for wrong in ([], list(range(1, 200))):
        with pytest.raises(Invalid):
            patrol.see(stage.session, stage.mo, wrong, now=stage.now)


def test_the_patrol_goes_on_page_by_page(stage: Stage) -> None:
    made = {stage.ask(now=stage.now + timedelta(minutes=n)).post.id for n in range(5)}
    seen, after = [], None
    while True:
        part = patrol.unread(stage.session, stage.mo, now=stage.now + timedelta(hours=1), after=after, limit=2)
        seen += [post.id for post in part.items]
        after = part.next
        if after is None:
            break
    assert len(seen) == len(set(seen)) and made <= set(seen)


def test_patrol_by_pages_and_api(desk: Desk, session: Session, ann: Member, mo: Member, mia: Member) -> None:
    posts = [desk.ask(ann, title=f"Number {n}") for n in range(3)]
    page = desk.get(mo, "/moderation/patrol")
    assert all(f"Number {n}" in text_of(page) for n in range(3))
    assert (
        desk.client(mo).get(f"/moderation/patrol/{posts[0].id}", headers={"Sec-Purpose": "prefetch"}).status_code == 302
    )
    assert session.execute(select(PatrolMark)).first() is None
    opened = desk.get(mo, f"/moderation/patrol/{posts[0].id}")
    assert (opened.status_code, opened.location) == (302, f"/posts/{posts[0].id}")
    assert "Number 0" not in text_of(desk.get(mia, "/moderation/patrol"))
    done = desk.post(mia, "/moderation/patrol", post_ids=[str(post.id) for post in posts])
    assert done.status_code == 303
    assert "Everything is read" in text_of(desk.get(mia, "/moderation/patrol"))
    fresh = desk.ask(ann, title="Number 9")
    headers = bearer(mo, "read,moderate")
    client = desk.app.test_client()
    listed = client.get("/api/v1/moderation/patrol", headers=headers).json["items"]
    assert [row["post_id"] for row in listed] == [fresh.id]
    marked = client.post("/api/v1/moderation/patrol/seen", json={"post_ids": [fresh.id]}, headers=headers)
    assert marked.json == {"marked": 1}


# --- Announcement ------------------------------------------------------------------------------------------------


def test_an_announcement_stands_above_every_page_until_it_ends(
    app: Flask, desk: Desk, ann: Member, lea: Member, ada: Member, mo: Member
) -> None:
    url = "/moderation/announcement"
    assert desk.post(lea, url, text="We are **away** on Sunday.", until="2099-01-01").status_code == 303
    for page in (app.test_client().get("/"), desk.get(ann, "/boards/"), app.test_client().get("/nothing")):
        assert "<strong>away</strong>" in html_of(page)
    # Another one takes its place, and ending it leaves none.
    assert desk.post(ada, url, text="Back again.").status_code == 303
    front = text_of(app.test_client().get("/"))
    assert "Back again." in front and "away" not in front
    assert desk.post(ada, url, turn="end").status_code == 303
    assert "Back again." not in text_of(app.test_client().get("/"))
    assert "Back again." in text_of(desk.get(lea, url))
    assert desk.get(mo, url).status_code == 403
    assert desk.post(ann, url, text="Me too.").status_code == 403


def test_a_refused_announcement_comes_back_and_one_that_ended_is_not_shown(
    desk: Desk, session: Session, lea: Member
) -> None:
    refused = desk.post(lea, "/moderation/announcement", text="zqkept words", until="2001-01-01")
    assert refused.status_code == 422 and "zqkept words" in text_of(refused)
    actor = actor_for(lea, Role.LEAD)
    at = utc_now()
    announcement.announce(session, by=actor, text="Soon over.", until=at + timedelta(hours=1), now=at)
    assert announcement.current(session, now=at) is not None
    assert announcement.current(session, now=at + timedelta(hours=1)) is None
    session.rollback()


# --- The notice of a board ---------------------------------------------------------------------------------------


def test_moderators_of_a_board_write_its_notice(desk: Desk, session: Session, ann: Member, mo: Member) -> None:
    desk.ask(ann)
    other = boards.ensure(session, "unsorted", utc_now())
    gus = make_member(session, "gus", roles=[Role.MODERATOR], board_id=other.id)
    url = "/boards/backache/notice"
    assert url in html_of(desk.get(mo, "/boards/backache/"))
    assert url not in html_of(desk.get(ann, "/boards/backache/"))
    assert url not in html_of(desk.get(gus, "/boards/backache/"))
    assert desk.post(mo, url, text="Please name *no* doctors.").status_code == 303
    assert "<em>no</em> doctors" in html_of(desk.app.test_client().get("/boards/backache/"))
    assert desk.app.test_client().get("/api/v1/boards/backache").json["notice"] == "Please name *no* doctors."
    refused = desk.post(mo, url, text="y" * 1_001)
    assert refused.status_code == 422 and "y" * 1_001 in html_of(refused)
    for who in (ann, gus):
        assert desk.get(who, url).status_code == 403
        assert desk.post(who, url, text="Mine.").status_code == 403
    assert desk.post(mo, url, text=" ").status_code == 303
    assert "From the moderators" not in text_of(desk.get(ann, "/boards/backache/"))
    assert desk.get(mo, "/boards/gout/notice").status_code == 404


def test_a_pinned_thread_stands_first_on_the_first_page_only(desk: Desk, ann: Member, mo: Member) -> None:
    threads = [desk.ask(ann, title=f"Number {n:02}").thread_id for n in range(23)]
    desk.post(mo, f"/moderation/threads/{threads[0]}", operation="pin", seen="0")
    first = text_of(desk.get(ann, "/boards/backache/"))
    assert first.count("Number 00") == 1 and first.index("Number 00") < first.index("Number 22")
    assert "Stands first here" in first
    onward = html_of(desk.get(ann, "/boards/backache/")).split('rel="next" href="')[1].split('"')[0]
    second = text_of(desk.get(ann, onward.replace("&amp;", "&")))
    assert "Number 00" not in second and "Number 01" in second
    row = desk.app.test_client().get("/api/v1/boards/backache/threads?limit=100").json["items"]
    assert [item["id"] for item in row if item["is_pinned"]] == [threads[0]] and len(row) == 23


def test_a_note_is_never_on_a_page_for_members(desk: Desk, session: Session, ann: Member, mo: Member) -> None:
    session.add(MemberNote(member_id=ann.id, author_id=mo.id, text="zqsecretnote", at=utc_now()))
    session.commit()
    for path in ("/me/", "/members/ann", "/me/standing", "/me/talk/", "/me/notifications"):
        assert "zqsecretnote" not in html_of(desk.get(ann, path))
