"""`flask members …`: accounts, roles and tokens from the command line. It stands here because roles name boards."""

import sys

import click
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from auth import flows, members, tokens
from auth.forms import read_email
from auth.models import Member
from core.db import unit_of_work, utc_now
from core.errors import AppError
from core.vocabulary import STAFF_ROLES, Role
from forum import boards

group = AppGroup("members", help="Make members, give roles, make tokens.")
groups = (group,)

ROLES = click.Choice([role.value for role in Role])


def read_password() -> str:
    """From a prompt that shows nothing, or one line of standard input."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


def stop(error: AppError) -> click.ClickException:
    """The sentence of a refusal, with the field where there is one."""
    lines = [f"{field}: {message}" for field, message in error.errors] or [error.detail]
    return click.ClickException("\n".join(lines))


def give_role(session: Session, member: Member, role: Role, board: str | None) -> str | None:
    """Give the role, on one board if it is named; returns the secret of the second step where one was set up."""
    if role is Role.MEMBER:
        if board:
            raise click.UsageError("A plain member belongs to no board.")
        members.revoke_all(session, member, by=None, now=utc_now())
        return None
    board_id = boards.ensure(session, board, utc_now()).id if board else None
    members.grant_role(session, member, role, by=None, board_id=board_id, now=utc_now())
    if role not in STAFF_ROLES or member.tf_totp_secret is not None:
        return None
    secret = flows.new_totp_secret()
    flows.turn_on_second_step(member, secret)
    return flows.totp_b32(secret)


def show_secret(secret: str | None) -> None:
    if secret:
        click.echo(f"TOTP secret: {secret}")


@group.command("create")
@click.argument("handle")
@click.option("--email", required=True)
@click.option("--role", type=ROLES, default=Role.MEMBER.value, show_default=True)
@click.option("--board", metavar="SLUG", help="Limit a moderator to this board.")
def create(handle: str, email: str, role: str, board: str | None) -> None:
    """Make a confirmed member. The password comes from a prompt or one line of standard input."""
    password = read_password()
    try:
        address = read_email(email)
        members.check_password(password, about=(handle, address.split("@")[0]))
        with unit_of_work() as session:
            member = members.create_member(
                session,
                handle=handle,
                email=address,
                password_hash=flows.hash_password(password),
                birth_year=None,
                now=utc_now(),
                confirmed_at=utc_now(),
            )
            secret = give_role(session, member, Role(role), board)
    except AppError as error:
        raise stop(error) from error
    click.echo(f"Member {handle} created.")
    show_secret(secret)


@group.command("role")
@click.argument("handle")
@click.argument("role", type=ROLES)
@click.option("--board", metavar="SLUG", help="Limit a moderator to this board.")
def role(handle: str, role: str, board: str | None) -> None:
    """Give a role. ROLE `member` takes all roles back."""
    try:
        with unit_of_work() as session:
            secret = give_role(session, members.find_by_handle(session, handle), Role(role), board)
    except AppError as error:
        raise stop(error) from error
    click.echo(f"Member {handle} has the role {role} now.")
    show_secret(secret)


@group.command("token")
@click.argument("handle")
@click.option("--scope", required=True, help="read, write, moderate; several with commas between them.")
@click.option("--name", default="command line", show_default=True)
def token(handle: str, scope: str, name: str) -> None:
    """Print a new API token, once."""
    try:
        with unit_of_work() as session:
            member = members.find_by_handle(session, handle)
            wanted = [part.strip() for part in scope.split(",") if part.strip()]
            made = tokens.create(session, member.id, name=name, scopes=wanted, now=utc_now())
    except AppError as error:
        raise stop(error) from error
    click.echo(made)
