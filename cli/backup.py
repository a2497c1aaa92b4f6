"""A backup, and the way back from it."""

from pathlib import Path

import click
import flask_migrate
from flask.cli import with_appcontext

from cli.plainly import plainly
from services import backup as copies


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@with_appcontext
def backup(file: Path) -> None:
    """Write database and files into FILE, sealed with SECRET_KEY, and read it back."""
    with plainly():
        manifest = copies.create(file)
    size = file.stat().st_size
    click.echo(
        f"Backed up the {manifest.kind} database up to audit event {manifest.event_id} "
        f"and {manifest.files} files into {file} ({size:,} bytes)."
    )


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Put it in place of the data that is there.")
@with_appcontext
def restore(file: Path, replace: bool) -> None:
    """Put FILE back into an empty database. Everybody signs in anew; mails that waited are held back."""
    with plainly():
        manifest = copies.load(file, replace=replace)
        flask_migrate.upgrade()
        copies.settle(manifest)
    click.echo(
        f"Restored the backup of {manifest.made_at} with {manifest.files} files. Everybody signs in anew."
    )
