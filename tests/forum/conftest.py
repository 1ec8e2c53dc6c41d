"""The stage of the rules' tests, and the house of the pages' tests."""

from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.forum import pages
from tests.forum.stage import Stage, build


@pytest.fixture
def stage(session: Session, site: Any, now: datetime) -> Stage:
    return build(session, site.settings, now)


@pytest.fixture
def house(app: Flask, session: Session, now: datetime) -> pages.House:
    return pages.build(app, session, now)
