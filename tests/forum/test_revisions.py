"""The history of a post, as each reader may see it."""

import pytest

from auth.policy import ANONYMOUS
from core.errors import NotFound
from core.vocabulary import PostState, RevisionState
from forum import lifecycle, revisions
from tests.forum.stage import Stage


def sources(stage: Stage, post_id: int, actor: object) -> list[str | None]:
    return [entry.source for entry in revisions.history(stage.session, post_id, actor)]  # type: ignore[arg-type]


def test_the_public_sees_texts_that_were_public_and_no_others(stage: Stage) -> None:
    post = stage.ask(body="first").post
    stage.edit(post, body="HOLD second")
    stage.edit(stage.fresh(post), body="HOLD third")
    waiting = revisions.waiting(stage.session, post.id)
    assert waiting is not None
    history = revisions.history(stage.session, post.id, ANONYMOUS)
    assert [(e.number, e.text, e.source, e.state, e.is_live) for e in history] == [(1, "first", None, None, True)]
    revisions.publish(stage.session, waiting.id, now=stage.now)
    history = revisions.history(stage.session, post.id, stage.ben)
    assert [(e.number, e.text, e.is_live) for e in history] == [(1, "first", False), (2, "HOLD third", True)]


def test_author_and_moderator_see_every_text(stage: Stage) -> None:
    post = stage.ask(body="first").post
    stage.edit(post, body="HOLD second")
    for actor in (stage.ann, stage.mo):
        history = revisions.history(stage.session, post.id, actor)
        assert [(e.source, e.state) for e in history] == [
            ("first", RevisionState.LIVE),
            ("HOLD second", RevisionState.HELD),
        ]


def test_a_post_that_readers_do_not_see_has_no_history_for_them(stage: Stage) -> None:
    held = stage.ask(body="HOLD it").post
    hidden = stage.ask().post
    lifecycle.move(stage.session, hidden.id, PostState.HIDDEN, expected_version=1, now=stage.now)
    for post in (held, hidden):
        for actor in (ANONYMOUS, stage.ben):
            with pytest.raises(NotFound):
                revisions.history(stage.session, post.id, actor)
        assert len(sources(stage, post.id, stage.ann)) == 1


def test_a_refused_edit_leaves_the_text_and_stays_in_the_authors_history(stage: Stage) -> None:
    post = stage.ask(body="first").post
    stage.edit(post, body="HOLD second")
    waiting = revisions.waiting(stage.session, post.id)
    assert waiting is not None
    revisions.set_state(stage.session, waiting.id, RevisionState.REJECTED)
    assert stage.fresh(post).source == "first"
    assert sources(stage, post.id, stage.ann) == ["first", "HOLD second"]
    assert len(revisions.history(stage.session, post.id, stage.ben)) == 1
    stage.sound()


def test_an_undone_edit_brings_the_older_text_back(stage: Stage) -> None:
    post = stage.ask(body="first", title="First title").post
    first = post.live_revision_id
    stage.edit(post, body="second", title="Second title")
    assert first is not None
    shown = revisions.publish(stage.session, first, now=stage.now)
    assert (shown.source, shown.live_revision_id) == ("first", first)
    stage.sound()
