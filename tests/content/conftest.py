"""The tables that every article needs, on a pristine database."""

import pytest
from sqlalchemy.orm import Session

from tests.content.making import load_starter_tables


@pytest.fixture
def tables(session: Session) -> Session:
    """The session, with licences, categories, rules, house texts and help lines loaded."""
    load_starter_tables(session)
    session.flush()
    return session
