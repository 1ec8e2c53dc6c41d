"""Boards: found under every address, made once, opened, followed."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from auth.policy import ANONYMOUS
from content.models import FormerSlug
from core.errors import Forbidden, NotFound, SignInNeeded
from core.vocabulary import Role
from forum import boards, queries
from forum.models import Board
from tests.forum.stage import Stage, actor_for, make_member


def test_a_condition_without_a_thread_has_a_board_that_is_not_open(stage: Stage) -> None:
    view = queries.board(stage.session, ANONYMOUS, "backache")
    assert (view.name, view.is_open, view.thread_count, view.id) == ("Backache", False, 0, None)
    assert queries.board_threads(stage.session, ANONYMOUS, view.id).items == []


def test_a_held_thread_does_not_show_on_its_board(stage: Stage) -> None:
    stage.ask(body="HOLD it")
    view = queries.board(stage.session, stage.ben, "backache")
    assert (view.is_open, view.thread_count, view.last_activity_at) == (False, 0, None)
    assert queries.board_threads(stage.session, stage.ben, view.id).items == []


def test_a_former_address_leads_to_the_board(stage: Stage) -> None:
    stage.session.add(FormerSlug(slug="back-pain", condition_id=stage.condition.id))
    assert queries.board(stage.session, ANONYMOUS, "back-pain").slug == "backache"


def test_a_board_is_made_once(stage: Stage) -> None:
    made = [boards.ensure(stage.session, slug, stage.now).id for slug in ("backache", "backache", "unsorted")]
    assert made[0] == made[1] != made[2]
    assert stage.session.execute(select(func.count(Board.id))).scalar() == 2


def test_an_editor_opens_a_board_and_others_cannot(stage: Stage) -> None:
    ed = actor_for(make_member(stage.session, "Ed", stage.now), Role.EDITOR)
    with pytest.raises(Forbidden):
        boards.open_board(stage.session, stage.ann, "backache", now=stage.now)
    assert boards.open_board(stage.session, ed, "backache", now=stage.now).opened_at == stage.now
    again = boards.open_board(stage.session, ed, "backache", now=stage.now + timedelta(days=1))
    assert again.opened_at == stage.now


def test_following_is_for_open_boards_and_members(stage: Stage) -> None:
    with pytest.raises(NotFound):
        boards.follow(stage.session, stage.ben, "backache", now=stage.now)
    stage.ask()
    with pytest.raises(SignInNeeded):
        boards.follow(stage.session, ANONYMOUS, "backache", now=stage.now)
    assert [boards.follow(stage.session, stage.ben, "backache", now=stage.now) for _ in range(2)] == [True, False]
    assert [b.slug for b in queries.followed_boards(stage.session, stage.ben)] == ["backache"]
    assert queries.board(stage.session, stage.ben, "backache").is_followed
    assert [boards.unfollow(stage.session, stage.ben, "backache") for _ in range(2)] == [True, False]
