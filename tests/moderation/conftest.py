"""The stage and the desk as fixtures."""

from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from core.db import utc_now
from tests.moderation.desk import Desk
from tests.moderation.stage import Stage, build, load_texts, make_condition


@pytest.fixture
def stage(session: Session, site: Any, now: datetime) -> Stage:
    return build(session, site.settings, now)


@pytest.fixture
def desk(app: Flask, session: Session, site: Any) -> Desk:
    load_texts(session, utc_now())
    make_condition(session, utc_now())
    return Desk(app, session, site.settings)
