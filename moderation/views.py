"""The pages of moderation under one blueprint, and the counter that the frame of every page shows."""

from typing import Any

from flask import Blueprint, g

from auth import policy
from auth.doors import Viewer, current_actor, viewer
from core.db import db
from moderation import (
    appeals,
    cases,
    queries,
    views_appeals,
    views_care,
    views_case,
    views_dashboard,
    views_desk,
    views_member,
    views_modlog,
    views_queue,
    views_report,
    views_sanctions,
    views_standing,
    views_talk,
    views_threads,
)

blueprint = Blueprint("moderation", __name__)
for part in (
    views_appeals,
    views_queue,
    views_case,
    views_report,
    views_member,
    views_standing,
    views_sanctions,
    views_dashboard,
    views_desk,
    views_care,
    views_modlog,
    views_talk,
    views_threads,
):
    blueprint.register_blueprint(part.blueprint)


def context() -> dict[str, Any]:
    """Tells moderators how many cases wait: one bounded query per page, none for anybody else."""
    reader = viewer()
    if reader.is_moderator and "queue_count" not in g:
        g.queue_count = reader.queue_count = _count()
    asked = {"open_appeals": lambda: appeals.open_count(db.session())}
    return asked | _for_admins(reader) | views_talk.context() | views_threads.context()


def _for_admins(reader: Viewer) -> dict[str, Any]:
    """What only an admin can help: objections that no lead may answer. Asked for by the pages of administration."""
    return {"stuck_appeals": (lambda: appeals.undecidable(db.session())) if reader.is_admin else (lambda: 0)}


def _count() -> int:
    actor = current_actor()
    if not policy.moderates_anything(actor):
        return 0
    return queries.queue_count(db.session(), actor, cases.opted_out(db.session(), actor))
