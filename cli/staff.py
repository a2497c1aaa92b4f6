"""Accounts of ours from the command line: the first administrator, and a way back in."""

import sys

import click
from flask.cli import with_appcontext

import config
from cli.plainly import plainly
from models import StaffRole
from permissions import System
from services import mail_delivery
from services import staff as accounts
from services.transaction import transaction

FROM_STDIN = (
    "Read the password from the first line of standard input, instead of mailing a link to choose one."
)


@click.group()
def staff() -> None:
    """Accounts for the desk."""


@staff.command()
@click.option("--email", required=True, help="Their address; they sign in with it.")
@click.option("--name", required=True, help="Their full name.")
@click.option("--role", required=True, type=click.Choice([role.value for role in StaffRole]))
@click.option("--password-stdin", is_flag=True, help=FROM_STDIN)
@with_appcontext
def create(email: str, name: str, role: str, password_stdin: bool) -> None:
    """Make an account; without a password, a link to choose one is mailed."""
    password = _password() if password_stdin else None
    with plainly():
        with transaction():
            row = accounts.create(
                actor=System(), email=email, full_name=name, role=StaffRole(role), password=password
            )
        click.echo(f"Created {row.full_name} ({role}), who signs in as {row.email}.")
        if password is None:
            _tell_of_the_mail(row.email)


@staff.command("reset-password")
@click.option("--email", required=True, help="Whose password.")
@with_appcontext
def reset_password(email: str) -> None:
    """Mail a link to choose a new password; nobody else ever chooses it. The second factor stays."""
    with plainly():
        row = accounts.by_email(email)
        if row is None:
            raise click.ClickException(f"Nobody of ours has the address {email}.")
        with transaction():
            accounts.send_link(actor=System(), staff=row)
        _tell_of_the_mail(row.email)


def _password() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise click.ClickException("Standard input holds no password; give it on the first line.")
    return password


def _tell_of_the_mail(email: str) -> None:
    """Send it now, as there may be no worker yet, and say where it went."""
    mail_delivery.deliver_due()
    mail_url = config.current().mail_url
    where = f", in {mail_url.removeprefix('file:')}" if mail_url.startswith("file:") else ""
    click.echo(f"A link to choose a password is on its way to {email}{where}. It works for an hour.")
