"""Drafts on the server."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from auth.policy import ANONYMOUS
from core.errors import Conflict, Invalid, NotFound, SignInNeeded, TooMany
from forum import drafts
from forum.models import Draft
from tests.forum.stage import Stage


def keep(stage: Stage, **more: object) -> Draft:
    values = {"path": "/boards/backache/ask", "title": "Why", "body": "It", "now": stage.now, **more}
    actor = values.pop("actor", stage.ann)
    return drafts.save(stage.session, actor, settings=stage.settings, **values)  # type: ignore[arg-type]


def test_a_draft_comes_back_as_it_was_typed(stage: Stage) -> None:
    draft = keep(stage, body="  It\r\nhurts ", extra={"site": ["low"]})
    kept = drafts.mine(stage.session, stage.ann)
    assert [(d.id, d.title, d.body, d.extra) for d in kept] == [(draft.id, "Why", "  It\nhurts ", {"site": ["low"]})]
    assert kept[0].kept_until == stage.now + timedelta(days=30)


def test_saving_again_keeps_one_draft(stage: Stage) -> None:
    draft = keep(stage)
    keep(stage, body="It hurts", draft_id=draft.id, now=stage.now + timedelta(minutes=1))
    assert [d.body for d in drafts.mine(stage.session, stage.ann)] == ["It hurts"]


def test_a_draft_is_its_writers_alone(stage: Stage) -> None:
    draft = keep(stage)
    for act in (
        lambda: drafts.get(stage.session, stage.ben, draft.id),
        lambda: keep(stage, draft_id=draft.id, actor=stage.ben),
    ):
        with pytest.raises(NotFound):
            act()
    assert drafts.drop(stage.session, stage.ben, draft.id) is False
    assert drafts.mine(stage.session, stage.ben) == []
    with pytest.raises(SignInNeeded):
        keep(stage, actor=ANONYMOUS)
    assert drafts.drop(stage.session, stage.ann, draft.id) is True


@pytest.mark.parametrize("path", ["https://example.org/ask", "//example.org", "/me", "/boards/backache/ask?x=1", ""])
def test_a_draft_belongs_to_a_composer_of_this_site(stage: Stage, path: str) -> None:
    with pytest.raises(Invalid):
        keep(stage, path=path)


def test_there_is_nothing_to_keep_of_blanks_and_an_end_to_drafts(stage: Stage) -> None:
    with pytest.raises(Invalid):
        keep(stage, title=" ", body="\n")
    for _ in range(drafts.MAX_DRAFTS):
        keep(stage)
    with pytest.raises(Conflict, match="too-many-drafts"):
        keep(stage)


def test_saving_has_a_limit(stage: Stage) -> None:
    stage.settings = replace(stage.settings, limits=True)
    draft = keep(stage)
    for _ in range(599):
        keep(stage, draft_id=draft.id)
    with pytest.raises(TooMany):
        keep(stage, draft_id=draft.id)


def test_a_draft_is_forgotten_thirty_days_after_its_last_change(stage: Stage) -> None:
    keep(stage)
    touched = keep(stage, now=stage.now + timedelta(days=1))
    drafts.forget_old(stage.session, now=stage.now + timedelta(days=30, seconds=1))
    left = stage.session.execute(select(Draft.id)).scalars().all()
    assert left == [touched.id]
    assert stage.session.execute(select(func.count(Draft.id))).scalar() == 1
