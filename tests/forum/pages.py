"""What the tests of the forum's pages share: a condition with its content, threads by the real rules, and forms."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from auth.models import Member
from content.models import Alias, Category, Condition, FormerSlug, RedFlag, condition_category
from core.text import fold
from core.vocabulary import PostKind, ThreadKind
from forum import gate as gates
from forum import posting
from forum.posting import Posted
from tests.forum.stage import ask_intake, make_condition
from tests.support.cast import actor_of, csrf_of


@dataclass
class House:
    """Backache with an alias, a former address, a category, warning signs and intake; Gout, whose board is not open."""

    app: Flask
    session: Session
    now: datetime
    backache: Condition

    def ask(self, by: Member, title: str = "Stiff in the morning", body: str = "It eases.", **more: Any) -> Posted:
        values = {"kind": ThreadKind.QUESTION, "board_slug": "backache", "now": self.now, **more}
        return self._store(posting.start_thread, by, title=title, body=body, **values)

    def share(self, by: Member, title: str = "What helped me", body: str = "A long story.", **more: Any) -> Posted:
        return self.ask(by, title, body, kind=ThreadKind.EXPERIENCE, **more)

    def answer(self, by: Member, thread_id: int, body: str = "I walk every day.", **more: Any) -> Posted:
        values = {"kind": PostKind.ANSWER, "now": self.now + timedelta(minutes=1), **more}
        return self._store(posting.add_post, by, thread_id=thread_id, body=body, **values)

    def comment(self, by: Member, thread_id: int, body: str = "How far do you walk?", **more: Any) -> Posted:
        return self.answer(by, thread_id, body, **{"kind": PostKind.COMMENT, **more})

    def _store(self, rule: Any, by: Member, **values: Any) -> Posted:
        settings = self.app.extensions["boardwell.settings"]
        posted: Posted = rule(self.session, actor_of(by), gate=gates.of(self.app), settings=settings, **values)
        self.session.commit()
        return posted


def build(app: Flask, session: Session, now: datetime) -> House:
    backache = make_condition(session, now)
    make_condition(session, now, "Gout")
    ask_intake(session, backache)
    backache.summary = "Pain between the ribs and the legs."
    category = Category(slug="bones", name="Bones and joints", position=1)
    session.add_all(
        [
            category,
            Alias(condition_id=backache.id, name="Lumbago", folded=fold("Lumbago"), kind="synonym", is_declared=True),
            FormerSlug(slug="back-pain", condition_id=backache.id),
            RedFlag(
                condition_id=backache.id,
                code="bladder",
                text="You cannot pass urine",
                urgency="emergency_now",
                position=0,
            ),
        ]
    )
    session.flush()
    session.execute(condition_category.insert().values(condition_id=backache.id, category_id=category.id))
    session.commit()
    return House(app, session, now, backache)


def text_of(answer: TestResponse) -> str:
    """The page with its entities as characters, for looking for what a reader would see."""
    return unescape(answer.get_data(as_text=True))


def send(client: FlaskClient, path: str, **fields: Any) -> TestResponse:
    """Post a form with a fresh token."""
    return client.post(path, data={"csrf_token": csrf_of(client, "/boards/backache/ask"), **fields})


def typed_in(page: str, name: str) -> str:
    """What a browser would have in the textarea of this name; it eats the first line break."""
    found = re.search(rf'<textarea[^>]* name="{name}"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    assert found, f"no textarea {name}"
    return unescape(found[1]).removeprefix("\n")


def value_of(page: str, name: str) -> str:
    """The value of the first input of this name."""
    found = re.search(rf'<input[^>]* name="{re.escape(name)}"[^>]* value="([^"]*)"', page)
    assert found, f"no input {name}"
    return unescape(found[1])
