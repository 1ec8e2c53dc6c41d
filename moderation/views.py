"""The pages of moderation under one blueprint, and the counter that the frame of every page shows."""

from typing import Any

from flask import Blueprint, g

from auth import policy
from auth.doors import current_actor, viewer
from core.db import db
from moderation import queries, views_case, views_dashboard, views_member, views_modlog, views_queue, views_report

blueprint = Blueprint("moderation", __name__)
for part in (views_queue, views_case, views_report, views_member, views_dashboard, views_modlog):
    blueprint.register_blueprint(part.blueprint)


def context() -> dict[str, Any]:
    """Tells moderators how many cases wait: one bounded query per page, none for anybody else."""
    reader = viewer()
    if reader.is_moderator and "queue_count" not in g:
        g.queue_count = reader.queue_count = _count()
    return {}


def _count() -> int:
    actor = current_actor()
    if not policy.moderates_anything(actor):
        return 0
    return queries.queue_count(db.session(), actor)
