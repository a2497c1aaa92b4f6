"""The audit log from the command line."""

import click
from flask.cli import with_appcontext

from cli.plainly import plainly
from services import audit_chain


@click.group()
def audit() -> None:
    """The audit log."""


@audit.command()
@with_appcontext
def verify() -> None:
    """Recompute the whole chain; says where a row was changed, removed or put in."""
    with plainly():
        outcome = audit_chain.verify()
    if not outcome.is_whole:
        raise click.ClickException(str(outcome))
    click.echo(str(outcome))
