"""Web and worker together: one command to run Portico on one machine."""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType

import click
from flask.cli import with_appcontext

import config
from cli.doctor import is_free
from cli.plainly import plainly
from services import schema

#: How long a start may take, and how long a stop: what is running is finished within it.
START_SECONDS, STOP_SECONDS = 60, 30
SIGN_INS = "demo-sign-ins.txt"
PR_SET_PDEATHSIG = 1


class _Told(Exception):
    """We were told to stop."""


@click.command()
@with_appcontext
def serve() -> None:
    """Run the web server and the worker until told to stop."""
    settings = config.current()
    if not is_free(settings.host, settings.port):
        raise click.ClickException(
            f"Port {settings.port} on {settings.host} is taken by another program; set PORT to another one."
        )
    with plainly():
        if problem := schema.problem():
            raise click.ClickException(problem)
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        with _told_to_stop():
            children["worker"] = _start(_worker())
            children["web server"] = _start(_web(settings))
            _wait_until_ready(settings, children)
            _welcome(settings)
            _watch(children)
    except _Told:
        pass
    finally:
        _stop(children)


def _web(settings: config.Settings) -> list[str]:
    return [
        *(sys.executable, "-m", "granian", "--interface", "wsgi"),
        *("--host", settings.host, "--port", str(settings.port)),
        *("--workers", str(settings.web_workers), "--blocking-threads", "2", "--backpressure", "64"),
        *("--respawn-failed-workers", "--workers-kill-timeout", str(STOP_SECONDS - 5)),
        *("--no-ws", "--log-level", "warning", "--working-dir", str(config.ROOT)),
        "wsgi:application",
    ]


def _worker() -> list[str]:
    return [sys.executable, "-m", "flask", "--app", "app", "jobs", "work"]


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    """A child at the head of a process group of its own, so that all of it can be stopped at once."""
    settings = config.current()
    metrics = settings.data_dir / "metrics"
    if "granian" in command:
        _empty(metrics)
    environment = {**os.environ, "DATA_DIR": str(settings.data_dir), "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
    return subprocess.Popen(  # noqa: S603 – our own programs, no shell
        command,
        cwd=config.ROOT,
        env=environment,
        process_group=0,
        preexec_fn=_end_with_parent,  # noqa: PLW1509 – this process has no threads
    )


def _end_with_parent() -> None:
    """Have Linux stop the child when we are killed before we could."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _empty(folder: Path) -> None:
    """Each start counts anew; what processes of an earlier one left goes."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for file in folder.glob("*.db"):
        file.unlink(missing_ok=True)


@contextlib.contextmanager
def _told_to_stop():  # type: ignore[no-untyped-def]  # a generator of nothing
    def told(_number: int, _frame: FrameType | None) -> None:
        raise _Told

    before = {number: signal.signal(number, told) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)  # we are stopping already


def _wait_until_ready(settings: config.Settings, children: dict[str, subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + START_SECONDS
    problems: object = "no answer"
    while time.monotonic() < deadline:
        _check_alive(children)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 – compared
        connection = HTTPConnection(host, settings.port, timeout=10)
        try:
            connection.request("GET", "/readyz", headers={"Host": settings.base_url.partition("://")[2]})
            answer = connection.getresponse()
            problems = json.loads(answer.read() or b"{}").get("problems", "")
            if answer.status == 200:
                return
        except (OSError, HTTPException, ValueError):
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    raise click.ClickException(f"Portico was not ready within {START_SECONDS} seconds: {problems}")


def _welcome(settings: config.Settings) -> None:
    click.echo(f"Portico is ready: {settings.base_url}/partners/login and {settings.base_url}/admin/")
    if settings.mail_url.startswith("file:"):
        click.echo(f"Mails land in {settings.mail_url.removeprefix('file:')}")
    sign_ins = settings.data_dir / SIGN_INS
    if sign_ins.is_file():
        click.echo("\n" + sign_ins.read_text(encoding="utf-8").strip() + "\n")
    click.echo("Stop it with Ctrl-C.")


def _watch(children: dict[str, subprocess.Popen[bytes]]) -> None:
    while True:
        _check_alive(children)
        time.sleep(0.5)


def _check_alive(children: dict[str, subprocess.Popen[bytes]]) -> None:
    for name, child in children.items():
        if child.poll() is not None:
            raise click.ClickException(f"The {name} ended by itself; the log above says why.")


def _stop(children: dict[str, subprocess.Popen[bytes]]) -> None:
    """Let both finish what they are at, then end what is left of their groups."""
    for child in children.values():
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for child in children.values():
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(max(deadline - time.monotonic(), 0.1))
    for child in children.values():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
