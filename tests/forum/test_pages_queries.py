"""How many statements a page sends: pinned, and the same however much there is to show."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from auth.models import Member
from forum import votes
from tests.forum.counting import counting
from tests.forum.pages import House
from tests.support.cast import actor_of, sign_in


def grow(house: House, by: tuple[Member, ...], thread_id: int, start: int) -> None:
    """More of everything that the pages list: threads, answers, comments, marks, and words that the search finds."""
    settings = house.app.extensions["boardwell.settings"]
    for n in range(start, start + 6):
        later = house.now + timedelta(minutes=n)
        house.ask(
            by[n % 2], f"saddle {n} of its own kind {n * 7}", f"No other text is like number {n * 13}.", now=later
        )
        answer = house.answer(by[1], thread_id, f"My saddle story {n}, told once, {n * 17}.", now=later).post
        house.comment(by[0], thread_id, f"A word on {n}: {n * 19}.", parent_id=answer.id, now=later)
        votes.mark_helpful(house.session, actor_of(by[0]), answer.id, settings=settings, now=later)


@pytest.mark.parametrize(
    "path, visitor, member",
    [
        ("/", 8, 13),
        ("/boards/", 7, 11),
        ("/boards/backache/", 13, 21),
        ("/threads/{id}/saddle", 16, 25),
        ("/search?q=saddle", 7, 11),
        ("/unanswered", 4, 8),
        ("/members/ben", 7, 11),
        ("/members/ben?show=replies", 6, 10),
        ("/boards/backache/ask", 10, 14),
    ],
)
def test_a_page_sends_a_bounded_number_of_statements(
    client: FlaskClient, house: House, ann: Member, ben: Member, path: str, visitor: int, member: int
) -> None:
    thread_id = house.ask(ann, "saddle", "What is a good one?").thread.id
    reader = sign_in(house.app.test_client(), ann)
    address, counts = path.format(id=thread_id), []
    if "{id}" in path:
        # With a second page there is always something left to read.
        grow(house, (ann, ben), thread_id, 100)
        grow(house, (ann, ben), thread_id, 200)
    for round_ in range(2):
        grow(house, (ann, ben), thread_id, round_ * 6)
        for who in (client, reader):
            # The first visit writes how far the reader has read, and fills what a process remembers.
            assert who.get(address).status_code == 200
            with counting(house.session) as sent:
                assert who.get(address).status_code == 200
            counts.append(len(sent))
    assert counts[:2] == counts[2:], f"{path} grows with what it shows: {counts}"
    assert counts[0] <= visitor and counts[1] <= member, counts
