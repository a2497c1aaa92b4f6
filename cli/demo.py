"""Demonstration data: a story to look around in, or very much of it to measure with."""

import click
from flask.cli import with_appcontext

from cli.plainly import plainly


@click.group()
def demo() -> None:
    """Demonstration data."""


@demo.command()
@click.option("--if-empty", is_flag=True, help="Do nothing when there is data already.")
@with_appcontext
def load(if_empty: bool) -> None:
    """A university with four entities, a school, a company and a nonprofit, with people in every role."""
    from demo import story

    with plainly():
        if story.load(if_empty=if_empty):
            click.echo("Loaded the demonstration data.")


@demo.command()
@click.option("--deals", required=True, type=click.IntRange(100, 10_000_000), help="The size of it all.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same data.")
@with_appcontext
def generate(deals: int, seed: int) -> None:
    """Partners, people and their history at scale, as many as that number of deals would have."""
    from demo import scale

    with plainly():
        scale.generate(deals, seed, click.echo)
