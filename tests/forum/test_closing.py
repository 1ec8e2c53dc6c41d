"""Closing an account with posts: they stay by "Former member", or they go, as the person chooses."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.models import Member
from core.vocabulary import PostState
from forum.models import Post
from tests.support.cast import PASSWORD, bearer, csrf_of, sign_in


@pytest.mark.parametrize("choice, state", [("keep", PostState.PUBLISHED), ("withdraw", PostState.WITHDRAWN)])
def test_the_person_chooses_what_becomes_of_the_posts(
    client: FlaskClient, session: Session, ann: Member, choice: str, state: PostState
) -> None:
    program = client.application.test_client()
    sent = {"kind": "question", "title": "How long does it last?", "body": "It began in spring."}
    made = program.post("/api/v1/boards/unsorted/threads", json=sent, headers=bearer(ann))
    assert made.status_code == 201, made.get_json()
    thread = made.get_json()["thread"]["id"]
    sign_in(client, ann)
    form = {"csrf_token": csrf_of(client, "/me/close"), "posts": choice, "current_password": PASSWORD}
    assert client.post("/me/close", data=form).headers["Location"] == "/closed"
    assert session.execute(select(Post.state)).scalar_one() is state
    page = program.get(f"/api/v1/threads/{thread}")
    assert '"ann"' not in page.get_data(as_text=True)
    shown = client.get(f"/threads/{thread}", follow_redirects=True).get_data(as_text=True)
    assert ("It began in spring." in shown) is (choice == "keep")
    assert ("Former member" in shown) is (choice == "keep")
