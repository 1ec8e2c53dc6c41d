"""Connects everything. Nothing imports this file but servers and tests."""

from pathlib import Path
from typing import Any

from flask import Flask
from flask_migrate import Migrate

import auth.api
import auth.doors
import auth.flows
import auth.mailer
import auth.members
import auth.views
import content.api
import content.cli
import content.queries
import content.views
import core.cli
import core.web
import forum.api
import forum.checks
import forum.cli
import forum.closing
import forum.drafts
import forum.gate
import forum.views.admin
import forum.views.boards
import forum.views.home
import forum.views.me
import forum.views.members
import forum.views.posts
import forum.views.search
import forum.views.site
import forum.views.threads
import moderation.api
import moderation.api_appeals
import moderation.api_decisions
import moderation.api_desk
import moderation.api_record
import moderation.api_team
import moderation.checks
import moderation.cli
import moderation.desk
import moderation.sanctions
import moderation.screen
import moderation.views
import moderation.webhooks
from core import db as database
from core import idempotency, limits, outbox, parked
from core.config import Settings

ROOT = Path(__file__).resolve().parent

BLUEPRINTS = (
    auth.views.blueprint,
    content.views.blueprint,
    forum.views.site.blueprint,
    moderation.views.blueprint,
)
API_BLUEPRINTS = (
    auth.api.blueprint,
    content.api.blueprint,
    forum.api.blueprint,
    moderation.api.blueprint,
)
COMMANDS = (*core.cli.groups, *content.cli.groups, *forum.cli.groups, *moderation.cli.groups)
# What delivers each kind of outbox message.
HANDLERS = {
    "mail": auth.mailer.send_mail,
    "notification": auth.mailer.send_notification,
    "on_call": moderation.webhooks.send_on_call,
}
# What the worker does once an hour.
HOUSEKEEPING = (
    idempotency.forget_old,
    limits.forget_old,
    parked.forget_old,
    outbox.forget_old,
    auth.members.forget_old,
    forum.drafts.forget_old,
    moderation.cli.publish_head,
    moderation.desk.forget_old,
    moderation.sanctions.finish_ended,
    moderation.cli.restore_due,
)
# What the worker does twice a minute.
WATCH = (moderation.cli.call_for_late,)
# What `ops check` asks.
CHECKS = (forum.checks.checks, moderation.checks.checks)
# What `ops up` prepares before it serves; each returns lines to print.
SETUP = (
    content.cli.load_starter,
    moderation.cli.load_ladder,
    moderation.cli.load_reasons,
    moderation.cli.load_demo,
)
# What every template is given.
CONTEXT = (auth.doors.context, content.views.context, moderation.views.context)
GATE = forum.gate.Gate(
    screen=moderation.screen.screen,
    held_status=moderation.screen.held_status,
    withdrawn=moderation.screen.withdrawn,
)
# What rooms to the left ask of rooms to the right, by name.
ANSWERS = {
    "boardwell.gate": GATE,
    "boardwell.handlers": HANDLERS,
    "boardwell.housekeeping": HOUSEKEEPING,
    "boardwell.watch": WATCH,
    "boardwell.checks": CHECKS,
    "boardwell.setup": SETUP,
    "boardwell.page_text": content.queries.page_text,
    "boardwell.help_lines": content.queries.help_lines,
    "boardwell.help_before_sending": moderation.screen.help_before_sending,
    "boardwell.close_hooks": (forum.closing.leave,),
}


def create_app(settings: Settings | None = None) -> Flask:
    """One site. Raises core.config.SettingsError (which ends the process) when a setting is missing or malformed."""
    settings = settings or Settings.from_env()
    app = Flask("wsgi", root_path=str(ROOT), template_folder="templates", static_folder="static")
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    if settings.is_sqlite():
        settings.instance.mkdir(parents=True, exist_ok=True)
    core.web.init_app(app, settings)
    database.db.init_app(app)
    Migrate(app, database.db, directory=str(ROOT / "migrations"), render_as_batch=True, compare_type=True)
    with app.app_context():
        database.install(database.db.engine)
    auth.flows.init_app(app, settings)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    api = core.web.Api(app)
    app.extensions["boardwell.api"] = api
    for blueprint in API_BLUEPRINTS:
        api.register_blueprint(blueprint, url_prefix=core.web.API_PREFIX)
    for command in COMMANDS:
        app.cli.add_command(command)
    for give in CONTEXT:
        app.context_processor(give)
    app.extensions.update(ANSWERS)
    return app


def __getattr__(name: str) -> Any:
    """`wsgi:app` for servers; made when first asked for, so that importing this file needs no settings."""
    if name == "app":
        globals()["app"] = create_app()
        return globals()["app"]
    raise AttributeError(name)
