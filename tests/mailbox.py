"""The mails that tests receive, read as a person's mail program reads them."""

import re
from email.message import EmailMessage
from email.utils import getaddresses
from functools import cached_property
from urllib.parse import urlsplit

from flask import Flask
from selectolax.lexbor import LexborHTMLParser

from tests.contexts import apart
from tests.servers import MailServer

ADDRESS = re.compile(r"https?://[^\s<>\"]+")


class Mail:
    """One received mail."""

    def __init__(self, message: EmailMessage) -> None:
        self.message = message

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def sender(self) -> str:
        return str(self.message["From"])

    @property
    def recipients(self) -> list[str]:
        """The bare addresses it was written to."""
        return [address for _, address in getaddresses(self.message.get_all("To", []))]

    @cached_property
    def text(self) -> str:
        """Its plain text part."""
        return self._part("plain")

    @cached_property
    def markup(self) -> str:
        """Its HTML part as it was sent."""
        return self._part("html")

    @cached_property
    def html(self) -> LexborHTMLParser:
        return LexborHTMLParser(self.markup)

    @property
    def links(self) -> list[str]:
        """Every address in the plain text, in order."""
        return [found.rstrip(".,)") for found in ADDRESS.findall(self.text)]

    def link(self, containing: str = "/partners/") -> str:
        """The first link with `containing` in it, as a path on our own site."""
        for address in self.links:
            if containing in address:
                parts = urlsplit(address)
                return parts.path + (f"?{parts.query}" if parts.query else "")
        raise AssertionError(f"No link with {containing!r} in the mail {self.subject!r}:\n{self.text}")

    def _part(self, kind: str) -> str:
        body = self.message.get_body((kind,))
        assert body is not None, f"The mail {self.subject!r} has no {kind} part."
        content: str = body.get_content()
        return content

    def __repr__(self) -> str:
        return f"<Mail {self.subject!r} to {', '.join(self.recipients)}>"


class Mailbox:
    """Every mail our SMTP server was sent in this test, oldest first."""

    def __init__(self, app: Flask, server: MailServer) -> None:
        self.server = server
        self._app = app

    @property
    def mails(self) -> list[Mail]:
        return [Mail(message) for message in self.server.received]

    def collect(self) -> list[Mail]:
        """Run one sweep of the worker, as `flask jobs run-due` does, and give the mails it brought."""
        before = len(self.server.received)
        runner = self._app.test_cli_runner()
        outcome = apart(lambda: runner.invoke(args=["jobs", "run-due"]))
        assert outcome.exit_code == 0, outcome.output
        return self.mails[before:]

    def latest(self, to: str | None = None) -> Mail:
        """The newest mail, or the newest to that address, after a sweep."""
        self.collect()
        for mail in reversed(self.mails):
            if to is None or to in mail.recipients:
                return mail
        raise AssertionError(f"No mail to {to or 'anybody'}; there are {self.mails}.")

    def __len__(self) -> int:
        return len(self.server.received)
