"""The pages of moderation as people use them: real sign-ins, real forms, the real gate behind them."""

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from auth.models import Member
from core.config import Settings
from core.db import utc_now
from core.vocabulary import PostKind, PostState, ThreadKind
from forum import posting
from forum.models import Post
from moderation import decisions, reports
from moderation.models import Case
from tests.moderation.stage import GATE
from tests.support.cast import actor_of, csrf_of, sign_in


def text_of(answer: TestResponse) -> str:
    """What a page says, without its markup and with single spaces."""
    body = re.sub(r"<(script|svg)\b.*?</\1>", " ", answer.get_data(as_text=True), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def html_of(answer: TestResponse) -> str:
    return answer.get_data(as_text=True)


@dataclass
class Desk:
    """Ann and Ben are known here, Cora is new; Mo and Mia moderate all boards."""

    app: Flask
    session: Session
    settings: Settings
    visitors: dict[int, FlaskClient] = field(default_factory=dict)
    tokens: dict[int, str] = field(default_factory=dict)
    asked: int = 0

    # --- Writing, by the rules

    def ask(self, member: Member, body: str = "", title: str = "Why does it hurt?", **more: Any) -> Post:
        self.asked += 1
        posted = posting.start_thread(
            self.session,
            actor_of(member),
            board_slug="backache",
            kind=ThreadKind.QUESTION,
            title=title,
            body=body or f"It has been sore for {self.asked} days and walking helps in the evening.",
            gate=GATE,
            settings=self.settings,
            now=utc_now(),
            **more,
        )
        return posted.post

    def answer(self, member: Member, post: Post, body: str = "A pillow under the knees helped me.") -> Post:
        thread_id, by = post.thread_id, actor_of(member)
        return posting.add_post(
            self.session,
            by,
            thread_id=thread_id,
            kind=PostKind.ANSWER,
            body=body,
            gate=GATE,
            settings=self.settings,
            now=utc_now(),
        ).post

    def edit(self, member: Member, post: Post, body: str) -> None:
        by, version = actor_of(member), self.fresh(post).version
        posting.edit_post(
            self.session,
            by,
            post.id,
            version=version,
            body=body,
            title="Why does it hurt?",
            gate=GATE,
            settings=self.settings,
            now=utc_now(),
        )

    def report(self, member: Member, post: Post, *, rule: str = "R11-kind", note: str = "") -> str:
        by = actor_of(member)
        return reports.report(
            self.session, by, post.id, rule=rule, note=note, settings=self.settings, now=utc_now()
        ).reference

    def decide(self, member: Member, post: Post, verdict: str, reason: str = "It names an amount.") -> str:
        """Returns the reference of the statement, or nothing."""
        case, by = self.case_of(post), actor_of(member)
        decided = decisions.decide(
            self.session,
            case.id,
            by=by,
            version=case.version,
            verdict=verdict,
            rule="R3-no-doses",
            reason=reason,
            settings=self.settings,
            now=utc_now(),
        )
        return decided.statement.reference if decided.statement else ""

    # --- Looking

    def fresh(self, post: Post) -> Post:
        return self.session.get_one(Post, post.id, populate_existing=True)

    def state(self, post: Post) -> PostState:
        return self.fresh(post).state

    def case_of(self, post: Post) -> Case:
        stmt = select(Case).where(Case.post_id == post.id).order_by(Case.id.desc()).limit(1)
        return self.session.execute(stmt.execution_options(populate_existing=True)).scalar_one()

    def case_url(self, post: Post) -> str:
        return f"/moderation/cases/{self.case_of(post).id}"

    # --- Using the pages

    def client(self, member: Member) -> FlaskClient:
        if member.id not in self.visitors:
            self.visitors[member.id] = sign_in(self.app.test_client(), member)
        return self.visitors[member.id]

    def get(self, member: Member, path: str) -> TestResponse:
        return self.client(member).get(path)

    def post(self, member: Member, path: str, **sent: Any) -> TestResponse:
        client = self.client(member)
        return client.post(path, data={"csrf_token": self.token(member), **sent})

    def token(self, member: Member) -> str:
        if member.id not in self.tokens:
            self.tokens[member.id] = csrf_of(self.client(member), "/me/decisions")
        return self.tokens[member.id]
