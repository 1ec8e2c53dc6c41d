"""Hints that somebody who was suspended came back: each with its reason, and never more than a hint."""

from datetime import timedelta

import pytest

from auth import members
from auth.policy import Actor
from core.vocabulary import PostState
from moderation import evasion, sanctions
from tests.forum.stage import make_member
from tests.moderation.stage import Stage, actor_for
from tests.moderation.test_sanctions import impose, warn

LONG = "The pain begins in the morning, moves down the left leg, and goes away when I have walked for half an hour."


def suspend_ann(stage: Stage) -> None:
    warn(stage)
    impose(stage, {"kind": "suspension", "days": 30})


def newcomer(stage: Stage, handle: str, *, email: str = "", days: int = 1) -> Actor:
    """An account made so many days after the suspension."""
    member = make_member(stage.session, handle, stage.now + timedelta(days=days))
    if email:
        member.email = email
    stage.session.flush()
    stage.members[handle] = member
    return actor_for(member)


def kinds(stage: Stage, actor: Actor) -> set[tuple[str, str]]:
    found = evasion.hints(stage.session, actor.id, now=stage.now + timedelta(days=2))
    return {(hint.kind, hint.other_handle) for hint in found}


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("ann.smith+two@gmail.com", "annsmith@googlemail.com", True),
        ("Ann+forum@example.org", "ann@example.org", True),
        ("a.nn@example.org", "ann@example.org", False),
        ("ann@example.org", "ann@example.com", False),
    ],
)
def test_addresses_are_compared_by_the_mailbox_behind_them(one: str, other: str, is_same: bool) -> None:
    assert (evasion.plain_address(one) == evasion.plain_address(other)) is is_same


@pytest.mark.parametrize(
    ("one", "other", "is_alike"),
    [
        ("heron", "heron_2", True),
        ("MarshHeron", "marsh-heron99", True),
        ("marshheron", "marshherron", True),
        ("ann", "ben", False),
        ("ann", "anna", False),
        ("heron", "robin", False),
    ],
)
def test_names_are_alike_without_digits_and_signs(one: str, other: str, is_alike: bool) -> None:
    assert evasion.are_alike(one, other) is is_alike


def test_each_likeness_to_a_suspended_member_is_a_hint_of_its_own(stage: Stage) -> None:
    stage.members["ann"].email = "ann.smith@gmail.com"
    stage.ask(stage.ann, body=LONG)
    members.open_session(stage.session, stage.ann.id, user_agent="A rare browser 7.1", now=stage.now)
    suspend_ann(stage)
    back = newcomer(stage, "ann_99", email="annsmith+again@gmail.com")
    members.open_session(stage.session, back.id, user_agent="A rare browser 7.1", now=stage.now)
    assert stage.ask(back, body=LONG).post.state is PostState.HELD
    assert kinds(stage, back) == {(kind, "ann") for kind in ("mail", "handle", "text", "device")}


def test_a_browser_says_nothing_of_an_account_made_before_or_long_after(stage: Stage) -> None:
    for actor in (stage.ann, stage.ben):
        members.open_session(stage.session, actor.id, user_agent="A common browser", now=stage.now)
    suspend_ann(stage)
    late = newcomer(stage, "robin", days=15)
    members.open_session(stage.session, late.id, user_agent="A common browser", now=stage.now)
    stage.members["ben"].created_at = stage.now - timedelta(days=100)
    stage.session.flush()
    assert kinds(stage, stage.ben) == set()
    assert kinds(stage, late) == set()


def test_short_texts_and_members_in_good_standing_give_no_hint(stage: Stage) -> None:
    stage.ask(stage.ann, body="Thank you all!")
    other = newcomer(stage, "robin")
    stage.ask(other, body="Thank you all!")
    twin = newcomer(stage, "ben_2")
    assert kinds(stage, twin) == set()
    suspend_ann(stage)
    assert kinds(stage, other) == set()


def test_a_suspension_taken_back_gives_no_hint_and_a_hint_does_nothing(stage: Stage) -> None:
    warn(stage)
    decided = impose(stage, {"kind": "suspension", "days": 30})
    back = newcomer(stage, "ann_99")
    assert kinds(stage, back) == {("handle", "ann")}
    assert members.actor_of_member(stage.session, stage.members["ann_99"], now=stage.now).restrictions == ()
    assert sanctions.live_strikes(stage.session, back.id, board_id=None, now=stage.now) == 0
    stage.undo(decided, stage.lea)
    assert kinds(stage, back) == set()
