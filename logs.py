"""Logs: one JSON line an event, with the request's id, without tokens and with addresses masked.

Everything that Python logs passes here, our own events and those of libraries, so that one rule holds
for all: what opens a door does not stand in a log, and no line break makes two lines of one.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

import config

#: 43 characters of URL-safe base64: a minted token, wherever it stands.
_TOKEN = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
#: Paths whose next piece opens something, also where it is no whole token any more.
_SECRET_PATH = re.compile(
    r"(/partners/login/|/partners/invitations/|/partners/sessions/not-me/|/admin/password/)[^/?#\s\"']+"
)
_SECRET_VALUE = re.compile(r"(?i)\b(authorization|cookie|password|token|secret|code)(\s*[=:]\s*)[^\s&;,\"']+")
_EMAIL = re.compile(r"\b([A-Za-z0-9])[A-Za-z0-9._%+-]*@([A-Za-z0-9.-]+\.[A-Za-z]{2,})")
_URL_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@/\s]+@")

_QUIET = {"huey": logging.WARNING, "werkzeug": logging.WARNING, "alembic": logging.WARNING}


def set_up(settings: config.Settings) -> None:
    """Write logs of this process to stderr; called again, it changes nothing twice."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, structlog.processors.format_exc_info],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            mask,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, _Handler)]:
        root.removeHandler(handler)
    handler = _Handler()
    handler.setFormatter(formatter)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(logging.INFO if settings.debug else level)


class _Handler(logging.StreamHandler[Any]):
    """Ours among the root's handlers; writes to whatever stderr is at that moment."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def mask(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The event without tokens and passwords, with addresses as `a•••@acme.test`."""
    return {name: _masked(value) for name, value in event.items()}


def redact(text: str) -> str:
    """The text as it may stand in a log."""
    text = _URL_PASSWORD.sub(r"\1[redacted]@", text)
    text = _SECRET_PATH.sub(r"\1[redacted]", text)
    text = _TOKEN.sub("[redacted]", text)
    text = _SECRET_VALUE.sub(r"\1\2[redacted]", text)
    return _EMAIL.sub(r"\1•••@\2", text)


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {name: _masked(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(inner) for inner in value]
    return value
