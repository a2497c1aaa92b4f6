"""The commands: `flask staff`, `demo`, `jobs`, `audit`, `backup`, `restore`, `doctor`, `serve`.

Each ends with 0, or with 1 and one sentence that says what to do.
"""

from flask import Flask

from cli.audit import audit
from cli.backup import backup, restore
from cli.demo import demo
from cli.doctor import doctor
from cli.jobs import jobs
from cli.serve import serve
from cli.staff import staff


def register(app: Flask) -> None:
    """Add every command of ours to `flask`."""
    for command in (audit, backup, demo, doctor, jobs, restore, serve, staff):
        app.cli.add_command(command)
