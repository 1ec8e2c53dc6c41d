"""The stage as a fixture."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.moderation.stage import Stage, build


@pytest.fixture
def stage(session: Session, site: Any, now: datetime) -> Stage:
    return build(session, site.settings, now)
