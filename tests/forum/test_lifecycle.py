"""Every legal and illegal edge of a post's life, and what follows from each."""

from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import select

from auth.models import Member
from core.errors import Conflict
from core.fulltext import SearchEntry
from core.notifications import Notification
from core.vocabulary import NotificationKind, PostKind, PostState, RevisionState
from forum import lifecycle, revisions
from forum.lifecycle import MOVES
from forum.models import Board, Post, Revision, Thread
from tests.forum.stage import Stage

S = PostState
LEGAL = {
    S.DRAFT: {S.HELD, S.PUBLISHED, S.SHIELDED},
    S.HELD: {S.PUBLISHED, S.REJECTED, S.CHANGES_REQUESTED, S.WITHDRAWN, S.SHIELDED, S.HIDDEN},
    S.CHANGES_REQUESTED: {S.HELD, S.PUBLISHED, S.WITHDRAWN, S.REJECTED},
    S.PUBLISHED: {S.HIDDEN, S.REMOVED, S.WITHDRAWN, S.SHIELDED, S.HELD},
    S.SHIELDED: {S.PUBLISHED, S.HIDDEN, S.REMOVED, S.WITHDRAWN, S.HELD},
    S.HIDDEN: {S.PUBLISHED, S.SHIELDED, S.REMOVED, S.WITHDRAWN, S.HELD},
    S.REMOVED: {S.PUBLISHED, S.SHIELDED, S.HIDDEN},
    S.REJECTED: {S.PUBLISHED, S.HELD},
    S.WITHDRAWN: set(),
    S.ERASED: set(),
}
# How a post gets into each state from its first words on.
WAYS = {
    S.HELD: ["HOLD"],
    S.PUBLISHED: ["pass"],
    S.SHIELDED: ["SHIELD"],
    S.CHANGES_REQUESTED: ["HOLD", S.CHANGES_REQUESTED],
    S.HIDDEN: ["pass", S.HIDDEN],
    S.REMOVED: ["pass", S.REMOVED],
    S.REJECTED: ["HOLD", S.REJECTED],
    S.WITHDRAWN: ["pass", S.WITHDRAWN],
}


def brought_to(stage: Stage, state: PostState, kind: PostKind) -> Post:
    """A post of this kind in this state, by legal moves only."""
    first, *moves = WAYS[state]
    if kind is PostKind.OPENING:
        post = stage.ask(body=f"{first} it hurts").post
    else:
        thread = stage.ask().thread
        post = stage.answer(thread.id, body=f"{first} it helps", kind=kind).post
    for to in moves:
        post = lifecycle.move(stage.session, post.id, PostState(to), expected_version=post.version, now=stage.now)
    assert post.state is state
    return post


def test_the_table_of_moves_is_the_agreed_one() -> None:
    assert {(a, b) for a, targets in LEGAL.items() for b in targets} == MOVES


@pytest.mark.parametrize("kind", list(PostKind))
def test_every_edge_is_walked_or_refused_and_everything_adds_up(stage: Stage, kind: PostKind) -> None:
    for state, to in product(WAYS, PostState):
        post = brought_to(stage, state, kind)
        if (state, to) in MOVES:
            moved = lifecycle.move(stage.session, post.id, to, expected_version=post.version, now=stage.now)
            assert (moved.state, moved.version) == (to, post.version)
            assert stage.session.get_one(Thread, post.thread_id).state is (
                to if kind is PostKind.OPENING else PostState.PUBLISHED
            )
        else:
            with pytest.raises(Conflict) as refused:
                lifecycle.move(stage.session, post.id, to, expected_version=post.version, now=stage.now)
            assert refused.value.code == "illegal-move"
            assert stage.fresh(post).state is state
    stage.sound()


def test_a_move_raises_the_version_by_one(stage: Stage) -> None:
    post = stage.ask().post
    assert post.version == 1
    assert lifecycle.move(stage.session, post.id, S.HIDDEN, expected_version=1, now=stage.now).version == 2


def test_a_move_on_an_old_version_is_refused_with_the_current_one(stage: Stage) -> None:
    post = stage.ask().post
    lifecycle.move(stage.session, post.id, S.HIDDEN, expected_version=1, now=stage.now)
    with pytest.raises(Conflict) as refused:
        lifecycle.move(stage.session, post.id, S.PUBLISHED, expected_version=1, now=stage.now)
    assert (refused.value.code, refused.value.extra) == ("post-changed", {"version": 2})


def test_a_board_opens_with_its_first_published_thread_and_not_with_a_held_one(stage: Stage) -> None:
    held = stage.ask(body="HOLD it").post
    board = stage.session.execute(select(Board)).scalar_one()
    assert (board.opened_at, board.thread_count, board.version) == (None, 0, 1)
    later = stage.now + timedelta(hours=1)
    lifecycle.move(stage.session, held.id, S.PUBLISHED, expected_version=held.version, now=later)
    board = stage.session.get_one(Board, board.id, populate_existing=True)
    assert (board.opened_at, board.thread_count, board.last_activity_at) == (later, 1, later)


def test_a_board_stays_open_when_its_only_thread_goes(stage: Stage) -> None:
    post = stage.ask().post
    lifecycle.move(stage.session, post.id, S.REMOVED, expected_version=1, now=stage.now)
    board = stage.session.execute(select(Board).execution_options(populate_existing=True)).scalar_one()
    assert (board.opened_at, board.thread_count, board.last_activity_at) == (stage.now, 0, None)


def test_a_held_reply_changes_nothing_that_others_see(stage: Stage) -> None:
    thread = stage.ask().thread
    before = (thread.version, thread.answer_count, thread.last_activity_at)
    board = stage.session.execute(select(Board)).scalar_one()
    lively = (board.version, board.post_count, board.last_activity_at)
    stage.answer(thread.id, body="HOLD me", now=stage.now + timedelta(hours=1))
    thread = stage.session.get_one(Thread, thread.id, populate_existing=True)
    board = stage.session.get_one(Board, board.id, populate_existing=True)
    assert (thread.version, thread.answer_count, thread.last_activity_at) == before
    assert (board.version, board.post_count, board.last_activity_at) == lively


def test_every_visible_change_raises_the_threads_version(stage: Stage) -> None:
    thread = stage.ask().thread
    versions = [thread.version]
    answer = stage.answer(thread.id).post
    for to in (S.HIDDEN, S.PUBLISHED, S.REMOVED):
        versions.append(stage.session.get_one(Thread, thread.id, populate_existing=True).version)
        answer = lifecycle.move(stage.session, answer.id, to, expected_version=answer.version, now=stage.now)
    versions.append(stage.session.get_one(Thread, thread.id, populate_existing=True).version)
    assert versions == sorted(set(versions))


def test_the_last_activity_is_that_of_the_newest_post_that_is_still_published(stage: Stage) -> None:
    thread = stage.ask().thread
    hours = [stage.now + timedelta(hours=n) for n in range(1, 3)]
    posts = [stage.answer(thread.id, now=hour).post for hour in hours]
    lifecycle.move(stage.session, posts[1].id, S.HIDDEN, expected_version=1, now=hours[1])
    assert stage.session.get_one(Thread, thread.id, populate_existing=True).last_activity_at == hours[0]
    lifecycle.move(stage.session, posts[1].id, S.PUBLISHED, expected_version=2, now=hours[1] + timedelta(hours=9))
    assert stage.session.get_one(Thread, thread.id, populate_existing=True).last_activity_at == hours[1]


def test_hiding_a_question_takes_its_answers_out_of_search_too_and_restoring_brings_them_back(stage: Stage) -> None:
    posted = stage.ask()
    stage.answer(posted.thread.id)
    found = select(SearchEntry.kind).order_by(SearchEntry.kind)
    assert list(stage.session.execute(found).scalars()) == ["post", "thread"]
    lifecycle.move(stage.session, posted.post.id, S.HIDDEN, expected_version=1, now=stage.now)
    assert list(stage.session.execute(found).scalars()) == []
    lifecycle.move(stage.session, posted.post.id, S.PUBLISHED, expected_version=2, now=stage.now)
    assert list(stage.session.execute(found).scalars()) == ["post", "thread"]


def test_an_author_is_credited_once_for_a_post_however_often_it_comes_back(stage: Stage) -> None:
    post = stage.ask(body="HOLD it").post
    for to in (S.PUBLISHED, S.HIDDEN, S.PUBLISHED, S.HELD, S.PUBLISHED):
        post = lifecycle.move(stage.session, post.id, to, expected_version=post.version, now=stage.now)
    ann = stage.session.get_one(Member, stage.ann.id, populate_existing=True)
    assert ann.approved_count == 1


def told(stage: Stage) -> list[tuple[int, NotificationKind, str]]:
    rows = stage.session.execute(select(Notification).order_by(Notification.id)).scalars()
    return [(row.member_id, row.kind, row.link) for row in rows]


def test_the_asker_is_told_of_an_answer_when_it_is_published_and_only_then(stage: Stage) -> None:
    thread = stage.ask().thread
    answer = stage.answer(thread.id, body="HOLD it").post
    assert told(stage) == []
    for to in (S.PUBLISHED, S.HIDDEN, S.PUBLISHED):
        answer = lifecycle.move(stage.session, answer.id, to, expected_version=answer.version, now=stage.now)
    assert told(stage) == [(stage.ann.id, NotificationKind.ANSWERED, f"/posts/{answer.id}")]


def test_a_commented_author_is_told_and_nobody_is_told_of_their_own_words(stage: Stage) -> None:
    thread = stage.ask().thread
    stage.answer(thread.id, stage.ann)
    answer = stage.answer(thread.id, stage.ben).post
    stage.comment(thread.id, stage.ben, parent_id=answer.id)
    comment = stage.comment(thread.id, stage.cora, parent_id=answer.id).post
    assert told(stage) == [
        (stage.ann.id, NotificationKind.ANSWERED, f"/posts/{answer.id}"),
        (stage.ben.id, NotificationKind.REPLIED, f"/posts/{comment.id}"),
    ]


def test_a_closed_account_is_told_nothing(stage: Stage) -> None:
    thread = stage.ask().thread
    stage.session.get_one(Member, stage.ann.id).closed_at = stage.now
    stage.answer(thread.id)
    assert told(stage) == []


def test_approving_a_post_makes_its_newest_text_the_live_one(stage: Stage) -> None:
    post = stage.ask(body="HOLD one").post
    stage.edit(post, body="HOLD two")
    post = stage.fresh(post)
    lifecycle.move(stage.session, post.id, S.PUBLISHED, expected_version=post.version, now=stage.now)
    post = stage.fresh(post)
    live = stage.session.get_one(Revision, post.live_revision_id)
    assert (live.number, live.state, live.live_at, post.source) == (2, RevisionState.LIVE, stage.now, "HOLD two")


def test_undoing_an_approval_lets_the_text_wait_again(stage: Stage) -> None:
    post = stage.ask(body="HOLD one").post
    for to in (S.PUBLISHED, S.HELD):
        post = lifecycle.move(stage.session, post.id, to, expected_version=post.version, now=stage.now)
    waiting = revisions.waiting(stage.session, post.id)
    assert waiting is not None
    assert (waiting.number, waiting.state, post.live_revision_id) == (1, RevisionState.HELD, None)
    stage.sound()


def test_an_edit_that_waits_falls_with_its_post(stage: Stage) -> None:
    post = stage.ask().post
    stage.edit(post, body="HOLD other")
    post = stage.fresh(post)
    lifecycle.move(stage.session, post.id, S.REMOVED, expected_version=post.version, now=stage.now)
    states = stage.session.execute(select(Revision.state).order_by(Revision.number)).scalars()
    assert list(states) == [RevisionState.LIVE, RevisionState.REJECTED]
    stage.sound()


def test_the_counters_check_finds_a_wrong_counter(stage: Stage) -> None:
    thread = stage.ask().thread
    stage.session.get_one(Thread, thread.id).answer_count = 7
    stage.session.flush()
    from forum.checks import checks

    assert checks(stage.session) == [f"threads whose answer_count is wrong: {thread.id}"]
