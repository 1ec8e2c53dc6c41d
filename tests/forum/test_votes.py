"""Helpful marks."""

import pytest

from auth.policy import ANONYMOUS
from core.errors import Forbidden, NotFound, SignInNeeded
from core.vocabulary import PostState
from forum import lifecycle, votes
from forum.models import Thread
from tests.forum.stage import Stage


def mark(stage: Stage, post_id: int, actor: object) -> int:
    return votes.mark_helpful(
        stage.session,
        actor,
        post_id,
        settings=stage.settings,
        now=stage.now,  # type: ignore[arg-type]
    )


def test_each_member_marks_an_answer_once_and_can_take_it_back(stage: Stage) -> None:
    thread = stage.ask().thread
    answer = stage.answer(thread.id).post
    assert [mark(stage, answer.id, actor) for actor in (stage.ann, stage.ann, stage.cora)] == [1, 1, 2]
    assert stage.session.get_one(Thread, thread.id, populate_existing=True).helpful_count == 2
    stage.sound()
    assert [votes.unmark_helpful(stage.session, actor, answer.id) for actor in (stage.ann, stage.ann)] == [1, 1]
    stage.sound()


def test_nobody_marks_their_own_answer_or_a_question_or_a_comment(stage: Stage) -> None:
    posted = stage.ask()
    answer = stage.answer(posted.thread.id).post
    comment = stage.comment(posted.thread.id, stage.cora).post
    with pytest.raises(Forbidden, match="own-post"):
        mark(stage, answer.id, stage.ben)
    for post in (posted.post, comment):
        with pytest.raises(Forbidden, match="only-answers"):
            mark(stage, post.id, stage.ben)


def test_a_visitor_is_asked_to_sign_in_and_a_held_answer_does_not_exist(stage: Stage) -> None:
    thread = stage.ask().thread
    with pytest.raises(SignInNeeded):
        mark(stage, stage.answer(thread.id).post.id, ANONYMOUS)
    with pytest.raises(NotFound):
        mark(stage, stage.answer(thread.id, body="HOLD it").post.id, stage.cora)


def test_the_marks_of_a_hidden_answer_count_again_when_it_comes_back(stage: Stage) -> None:
    thread = stage.ask().thread
    answer = stage.answer(thread.id).post
    mark(stage, answer.id, stage.ann)
    counts = []
    version = 1
    for to in (PostState.HIDDEN, PostState.PUBLISHED):
        version = lifecycle.move(stage.session, answer.id, to, expected_version=version, now=stage.now).version
        counts.append(stage.session.get_one(Thread, thread.id, populate_existing=True).helpful_count)
        stage.sound()
    assert counts == [0, 1]
