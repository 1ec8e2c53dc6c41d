"""Signing in and out, the second step, and the throttle."""

from flask.testing import FlaskClient

from auth.models import Member
from tests.support.cast import sign_in


def test_a_member_signs_in_and_out(client: FlaskClient, ann: Member) -> None:
    sign_in(client, ann)
    assert client.get("/me/").status_code == 200
