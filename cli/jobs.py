"""The worker: mails, sign-in requests and whatever falls due."""

import click
from flask import current_app
from flask.cli import with_appcontext

from cli.plainly import plainly
from services import jobs as engine
from services import schema


@click.group()
def jobs() -> None:
    """What runs beside the pages."""


@jobs.command()
@click.option("--threads", default=4, show_default=True, type=click.IntRange(1, 32), help="Jobs at once.")
@with_appcontext
def work(threads: int) -> None:
    """Work until told to stop; what is running then is finished first."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # the threads need it without the proxy
    with plainly():
        if problem := schema.problem():
            raise click.ClickException(problem)
        engine.work(app.app_context, threads=threads)


@jobs.command("run-due")
@with_appcontext
def run_due() -> None:
    """One sweep, for cron: everything that waits and everything that is due."""
    with plainly():
        failed = engine.run_due()
    if failed:
        raise click.ClickException(f"{failed} jobs failed; the log says why.")
