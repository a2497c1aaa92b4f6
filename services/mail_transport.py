"""How a finished mail leaves: into a folder, or over SMTP with a deadline.

`MAIL_URL` chooses: `file:/var/lib/portico/outbox` writes one .eml a mail; `smtp://user:pass@host:587?tls=starttls`
and `smtps://user:pass@host:465` hand it to a mail server.
"""

import contextlib
import os
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

CONNECT_SECONDS = 10
#: From the first byte to the server's last word; a server that dawdles longer is tried again later.
TOTAL_SECONDS = 30


class TryLater(Exception):
    """The mail did not leave now: the server is away, busy or wrongly set up."""


class Refused(Exception):
    """The recipient's side refused this mail for good; trying again would change nothing."""


@dataclass(frozen=True)
class Envelope:
    """A mail as it travels."""

    sender: str  #: bare address
    recipient: str  #: bare address
    content: bytes
    name: str  #: of its file, in a folder; made of letters, digits, dots and dashes


def check(mail_url: str) -> str:
    """What is wrong with this MAIL_URL, in one sentence; "" where nothing is."""
    parts = urlsplit(mail_url)
    if parts.scheme == "file":
        return "" if _folder(mail_url) else "MAIL_URL names no folder; write file:/path/of/outbox."
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        return "MAIL_URL must be like smtp://user:pass@host:587?tls=starttls, smtps://… or file:/path."
    wanted = parse_qs(parts.query).get("tls", [""])[0]
    if wanted not in {"", "starttls"}:
        return "MAIL_URL knows ?tls=starttls, or smtps:// for TLS from the first byte."
    return ""


def deliver(mail_url: str, envelope: Envelope) -> None:
    """Hand the mail over; when this returns, the other side has it.

    Raises TryLater or Refused with what was said.
    """
    if problem := check(mail_url):
        raise TryLater(problem)
    if urlsplit(mail_url).scheme == "file":
        _write(_folder(mail_url), envelope)
    else:
        _send(mail_url, envelope)


def probe(mail_url: str) -> None:
    """Reach the mail server, sign in and leave; for a folder, see that it can be written.

    Raises TryLater with what is in the way.
    """
    if problem := check(mail_url):
        raise TryLater(problem)
    if urlsplit(mail_url).scheme == "file":
        folder = _folder(mail_url)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise TryLater(f"{folder}: {error.strerror}") from error
        if not os.access(folder, os.W_OK):
            raise TryLater(f"{folder} cannot be written")
        return
    with _connection(mail_url) as server:
        server.noop()


# MARK: A folder


def _folder(mail_url: str) -> Path:
    return Path(unquote(urlsplit(mail_url).path))


def _write(folder: Path, envelope: Envelope) -> None:
    """Write the whole file or none: readers of the folder never see half a mail."""
    unfinished = folder / f".{envelope.name}.{os.getpid()}.{threading.get_ident()}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(envelope.content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, folder / envelope.name)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise TryLater(f"{folder}: {error.strerror}") from error


# MARK: SMTP


def _send(mail_url: str, envelope: Envelope) -> None:
    with _connection(mail_url) as server:
        try:
            server.sendmail(envelope.sender, [envelope.recipient], envelope.content)
        except smtplib.SMTPRecipientsRefused as error:
            code, said = error.recipients[envelope.recipient]
            raise _answer(code, said) from error
        except smtplib.SMTPDataError as error:
            raise _answer(error.smtp_code, error.smtp_error) from error


@contextlib.contextmanager
def _connection(mail_url: str) -> Iterator[smtplib.SMTP]:
    """A signed-in connection that is closed at the deadline, whatever the server does.

    smtplib's own timeout counts each answer alone, so a server that drips bytes would hold us for ever.
    """
    server = _unconnected(mail_url)
    late = threading.Event()
    timer = threading.Timer(TOTAL_SECONDS, _cut, (server, late))
    timer.daemon = True
    timer.start()
    try:
        _connect(server, mail_url)
        yield server
        with contextlib.suppress(smtplib.SMTPException, OSError):
            server.quit()
    except smtplib.SMTPResponseException as error:
        # Before the recipient was named: our password, our name, our sender. A setting to mend, not a bounce.
        raise TryLater(f"{error.smtp_code} {_text(error.smtp_error)}") from error
    except (smtplib.SMTPException, OSError) as error:
        said = (
            f"no answer within {TOTAL_SECONDS} s" if late.is_set() else (str(error) or type(error).__name__)
        )
        raise TryLater(said) from error
    finally:
        timer.cancel()
        server.close()


def _unconnected(mail_url: str) -> smtplib.SMTP:
    if urlsplit(mail_url).scheme == "smtps":
        return smtplib.SMTP_SSL(timeout=CONNECT_SECONDS, context=ssl.create_default_context())
    return smtplib.SMTP(timeout=CONNECT_SECONDS)


def _connect(server: smtplib.SMTP, mail_url: str) -> None:
    parts = urlsplit(mail_url)
    # TLS checks the certificate against this name, which only the constructor would set: and that
    # one connects at once, before the deadline could know whom to cut off.
    server._host = parts.hostname  # type: ignore[attr-defined]
    server.connect(parts.hostname or "", parts.port or (465 if parts.scheme == "smtps" else 25))
    if server.sock is not None:
        server.sock.settimeout(TOTAL_SECONDS)
    if parse_qs(parts.query).get("tls") == ["starttls"]:
        server.starttls(context=ssl.create_default_context())
    if parts.username:
        server.login(unquote(parts.username), unquote(parts.password or ""))


def _cut(server: smtplib.SMTP, late: threading.Event) -> None:
    late.set()
    with contextlib.suppress(OSError, AttributeError):
        server.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]  # gone already: AttributeError


def _answer(code: int, said: bytes | str) -> TryLater | Refused:
    text = f"{code} {_text(said)}"
    return Refused(text) if 500 <= code < 600 else TryLater(text)


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said
