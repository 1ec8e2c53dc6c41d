"""What a reader sees, said twice: `auth.policy.sight` for one post, `forum.visibility` as SQL for lists. They agree."""

from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from auth.models import Member
from auth.policy import ANONYMOUS, NEW_MEMBER_POSTS, Actor, Sight, Subject, sight
from content.models import Category, Condition, condition_category
from core.vocabulary import PostKind, PostState, Role, ThreadKind
from forum.models import Board, Post, Thread
from forum.visibility import readable, shown, threads_listed, threads_readable
from tests.forum.stage import actor_for, make_condition, make_member


@dataclass
class World:
    """Every state × visible before or not × new author or not × three boards, one thread each; and every reader."""

    subjects: dict[int, Subject]
    readers: dict[str, Actor]
    threads: dict[int, int]


def thread_in(
    session: Session, board: Board, author: Member, state: PostState, was_visible: bool, now: datetime
) -> Post:
    thread = Thread(
        board_id=board.id,
        kind=ThreadKind.QUESTION,
        title="A title",
        slug="a-title",
        author_id=author.id,
        state=state,
        created_at=now,
        last_activity_at=now,
    )
    session.add(thread)
    session.flush()
    post = Post(
        thread_id=thread.id,
        kind=PostKind.OPENING,
        position=0,
        author_id=author.id,
        state=state,
        source="text",
        html="<p>text</p>",
        text="text",
        excerpt="text",
        renderer="1",
        was_visible=was_visible,
        created_at=now,
    )
    session.add(post)
    session.flush()
    return post


@pytest.fixture
def world(session: Session, now: datetime) -> World:
    category = Category(slug="bones", name="Bones", position=1)
    session.add(category)
    boards = []
    for name in ("Backache", "Headache", "Cough"):
        condition: Condition = make_condition(session, now, name)
        boards.append(Board(slug=condition.slug, name=name, condition_id=condition.id))
    session.add_all(boards)
    session.flush()
    # The second board alone is in the category.
    session.execute(insert(condition_category).values(condition_id=boards[1].condition_id, category_id=category.id))
    new = make_member(session, "Cora", now)
    known = make_member(session, "Ann", now, approved=NEW_MEMBER_POSTS)
    others = {name: make_member(session, name, now, approved=approved) for name, approved in [("Ben", 3), ("Zoe", 0)]}
    staff = {name: make_member(session, name, now) for name in ("Mo", "Mia", "May", "Lea", "Ada", "Ed", "Max")}
    readers = {
        "anonymous": ANONYMOUS,
        "author": actor_for(known),
        "new author": actor_for(new),
        "member": actor_for(others["Ben"]),
        "new member": actor_for(others["Zoe"]),
        "moderator of all": actor_for(staff["Mo"], Role.MODERATOR, all_boards=True),
        "moderator of the first": actor_for(staff["Mia"], Role.MODERATOR, board_ids=frozenset({boards[0].id})),
        "moderator of the category": actor_for(staff["May"], Role.MODERATOR, category_ids=frozenset({category.id})),
        "lead": actor_for(staff["Lea"], Role.LEAD),
        "admin": actor_for(staff["Ada"], Role.ADMIN),
        "editor": actor_for(staff["Ed"], Role.EDITOR),
        "moderator who is an author": actor_for(known, Role.MODERATOR, board_ids=frozenset({boards[2].id})),
        "moderator without a second factor": Actor(
            id=staff["Max"].id, roles=frozenset({Role.MODERATOR}), all_boards=True, has_second_factor=False
        ),
    }
    subjects, threads = {}, {}
    for state, was_visible, author, board in product(PostState, (False, True), (new, known), boards):
        post = thread_in(session, board, author, state, was_visible, now)
        subjects[post.id] = Subject(
            author_id=author.id,
            author_is_new=author.approved_count < NEW_MEMBER_POSTS,
            state=state,
            post_kind=PostKind.OPENING,
            thread_kind=ThreadKind.QUESTION,
            thread_state=state,
            was_visible=was_visible,
            board_id=board.id,
            category_ids=frozenset({category.id}) if board is boards[1] else frozenset(),
        )
        threads[post.id] = post.thread_id
    return World(subjects, readers, threads)


def ids(session: Session, column: Any, condition: Any) -> set[int]:
    return set(session.execute(select(column).where(condition)).scalars())


def test_lists_and_doors_show_each_reader_the_same_posts(session: Session, world: World) -> None:
    for name, actor in world.readers.items():
        seen = {post_id: sight(actor, subject) for post_id, subject in world.subjects.items()}
        full = {post_id for post_id, how in seen.items() if how is Sight.FULL}
        something = {post_id for post_id, how in seen.items() if how is not Sight.NONE}
        assert ids(session, Post.id, readable(actor)) == full, name
        assert ids(session, Post.id, shown(actor)) == something, name
        assert ids(session, Thread.id, threads_readable(actor)) == {world.threads[post_id] for post_id in full}, name


def test_the_world_of_the_twins_holds_every_kind_of_sight(world: World) -> None:
    """Without this, two predicates that always say no would agree."""
    seen = {
        (name, subject.state): sight(actor, subject)
        for name, actor in world.readers.items()
        for subject in world.subjects.values()
    }
    assert set(seen.values()) == set(Sight)
    assert len({state for _, state in seen}) == len(PostState)
    assert len(world.subjects) == len(PostState) * 2 * 2 * 3


def test_a_board_lists_only_what_is_public_and_for_members_what_is_shielded(session: Session, world: World) -> None:
    for name, actor in world.readers.items():
        listed = ids(session, Thread.state, threads_listed(actor))
        assert listed <= {PostState.PUBLISHED, PostState.SHIELDED}, name
        assert ids(session, Thread.id, threads_listed(actor)) <= ids(session, Thread.id, threads_readable(actor)), name
    assert ids(session, Thread.state, threads_listed(ANONYMOUS)) == {PostState.PUBLISHED}
