"""A queued mail as a message: its words in the reader's language, its look in the company's brand.

Both parts come from templates/mail; what stands in a header is cleaned, and the finished message is read
back before it goes, so that nothing that somebody typed adds a header or a reader.
"""

import email.policy
import math
import re
import textwrap
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses, parseaddr
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import css_inline
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

import clock
import config
import language
from language import LazyString, _l
from models import Company, Entity, Invitation, Mail, PartnerRole, Person, Staff, db
from services import brand, keys
from services.mail import MAILS, Kind
from services.sentences import family

#: No provider counts openings or rewrites links: people shall see where a link leads, and be left alone.
UNTRACKED = {
    "X-PM-TrackOpens": "false",
    "X-PM-TrackLinks": "None",
    "X-Mailgun-Track": "no",
    "X-MC-Track": "none",
    "X-SMTPAPI": '{"filters":{"clicktrack":{"settings":{"enable":0}},"opentrack":{"settings":{"enable":0}}}}',
}
HEADERS = sorted(
    name.lower()
    for name in (
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Reply-To",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "MIME-Version",
        "Content-Type",
        *UNTRACKED,
    )
)
LONGEST_SUBJECT, LONGEST_HEADER = 60, 200  # characters
LOGO_WIDTH, LOGO_HEIGHT = 160, 32  # pixels: at most so wide, always so high
#: Printable ASCII in short lines on the wire, whatever the mail server can do.
POLICY = email.policy.SMTP.clone(cte_type="7bit")
ROLES: dict[PartnerRole, LazyString] = {
    PartnerRole.PRINCIPAL: _l("principal"),
    PartnerRole.SALESPERSON: _l("salesperson"),
    PartnerRole.TECHNICAL: _l("technical contact"),
    PartnerRole.FINANCE: _l("finance contact"),
    PartnerRole.VIEWER: _l("viewer"),
}
DUTIES: dict[PartnerRole, LazyString] = {
    PartnerRole.PRINCIPAL: _l(
        "You see everything of your team, submit deals, and decide who else may come in."
    ),
    PartnerRole.SALESPERSON: _l("You submit deals and follow them, with documents and training at hand."),
    PartnerRole.TECHNICAL: _l("You ask technical questions and take trainings; amounts stay hidden."),
    PartnerRole.FINANCE: _l("You see deals with their amounts, documents and reports."),
    PartnerRole.VIEWER: _l("You see how your team's deals stand."),
}


class Unsendable(Exception):
    """A message that must not leave: a header or a reader is not what we meant."""


def compose(mail: Mail, *, token: str | None = None, code: str | None = None) -> EmailMessage:
    """The finished message of a queued mail; also notes its subject and Message-ID on the row.

    Raises Unsendable.
    """
    kind = MAILS[mail.verb]
    company = db.session.get_one(Company, 1)
    reader = _reader(mail)
    with language.speaking(mail.locale, getattr(reader, "time_zone", None) or company.time_zone):
        values = _values(mail, kind, company, reader)
        values |= {"link": _link(kind, mail, token), "code": code}
        subject = _subject(kind.subject, values)
        pictured = values | {"subject": subject}
        text = _environment().get_template(f"mail/{kind.template}.txt").render(pictured)
        html = _environment().get_template(f"mail/{kind.template}.html").render(pictured)
    mail.subject = subject
    mail.message_id = mail.message_id or _message_id(mail)
    return _message(mail, company, subject, text, css_inline.inline(html, keep_at_rules=True))


# MARK: Words


def _values(mail: Mail, kind: Kind, company: Company, reader: Person | Staff | None) -> dict[str, Any]:
    """Everything the texts may name, as words and plain values."""
    entity = db.session.get(Entity, mail.entity_id) if mail.entity_id else None
    invitation = db.session.get(Invitation, mail.invitation_id) if mail.invitation_id else None
    values: dict[str, Any] = {name: _word(name, value) for name, value in mail.facts.items()}
    values |= {
        "locale_code": language.tag(mail.locale),
        "text_direction": language.direction(mail.locale),
        "company": _face(company),
        "portal": company.portal_name,
        "tenant": company.name,
        "support": company.support_email,
        "email": mail.email,
        "name": getattr(reader, "full_name", ""),
        "is_staff": mail.staff_id is not None,
        "entity": entity.name if entity is not None else "",
        "organization": entity.organization.name if entity is not None else "",
    }
    if invitation is not None:
        values |= {
            "inviter": invitation.invited_by,
            "role": str(ROLES[invitation.role]),
            "duties": str(DUTIES[invitation.role]),
            "expires": language.moment(invitation.expires_at),
            "days": max(math.ceil((invitation.expires_at - clock.now()) / timedelta(days=1)), 1),
        }
    return values


def _word(name: str, value: Any) -> Any:
    """A fact as the texts show it: roles in words, moments in the reader's zone."""
    if name in {"role", "before", "after"} and value in set(PartnerRole):
        return str(ROLES[PartnerRole(value)])
    if name in {"browser", "system"}:
        return family(name, str(value))
    if (name == "at" or name.endswith("_at")) and isinstance(value, str):
        return language.moment(datetime.fromisoformat(value))
    return value


def _face(company: Company) -> dict[str, Any]:
    """What the layout shows of the company."""
    shown = company.logo_url and company.logo_width and company.logo_height
    width = round((company.logo_width or 0) * LOGO_HEIGHT / (company.logo_height or LOGO_HEIGHT))
    return {
        "name": company.name,
        "portal_name": company.portal_name,
        "support_email": company.support_email,
        "brand_colour": company.brand_colour,
        "logo_url": f"{config.current().base_url}{company.logo_url}" if shown else None,
        "logo_width": max(min(width, LOGO_WIDTH), 1),
    }


def _link(kind: Kind, mail: Mail, token: str | None) -> str:
    if not kind.link:
        return ""
    if "{token}" in kind.link and not token:
        raise Unsendable(f"the mail {mail.verb} needs a token")
    path = kind.link
    if mail.verb == "invitation.accepted" and mail.staff_id is not None:
        path = f"/admin/partners/{mail.entity_id}"
    if mail.verb == "invitation.asked" and mail.person_id is None:  # to one of us, or to our common mailbox
        path = f"/admin/partners/{mail.entity_id}/invitations"
    return config.current().base_url + path.format(token=token)


def _subject(template: LazyString, values: Mapping[str, Any]) -> str:
    """The subject in at most LONGEST_SUBJECT characters: a long name in it is cut, never our own words."""
    named = {name: _clean(str(values.get(name) or "")) for name in ("entity", "portal", "who", "by")}
    while len(subject := str(template) % named) > LONGEST_SUBJECT:
        longest = max(named, key=lambda name: len(named[name]) * (f"%({name})s" in str(template)))
        over = len(subject) - LONGEST_SUBJECT
        named[longest] = named[longest][: max(len(named[longest]) - over - 1, 1)].rstrip(" …") + "…"
        if len(named[longest]) <= 2:  # nothing left to cut
            return subject[:LONGEST_SUBJECT]
    return subject


def _reader(mail: Mail) -> Person | Staff | None:
    if mail.staff_id is not None:
        return db.session.get(Staff, mail.staff_id)
    return db.session.get(Person, mail.person_id) if mail.person_id is not None else None


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(config.ROOT / "templates"),
        autoescape=select_autoescape(("html",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        language.gettext, language.plural, newstyle=True
    )
    environment.globals["brand_colours"] = lambda colour, theme="light": brand.derive(colour, theme)
    environment.filters["wrapped"] = _wrapped
    return environment


def _wrapped(text: str, width: int = 76) -> str:
    """Paragraphs of at most `width` columns, as plain mail is read; addresses stay whole."""

    def fold(line: str) -> str:
        return textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)

    return "\n".join(fold(line) if line.strip() else "" for line in text.splitlines())


# MARK: The message


def _message(mail: Mail, company: Company, subject: str, text: str, html: str) -> EmailMessage:
    message = EmailMessage(policy=POLICY)
    message["From"] = _address(company.portal_name, parseaddr(config.current().mail_from)[1])
    message["To"] = _address("", mail.email)
    message["Reply-To"] = _address("", company.support_email)
    message["Subject"] = _clean(subject)
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = mail.message_id
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    for name, value in UNTRACKED.items():
        message[name] = value
    message.set_content(_tidy(text))
    message.add_alternative(html, subtype="html")
    _read_back(message.as_bytes(), mail.email)
    return message


def _read_back(raw: bytes, recipient: str) -> None:
    """See that the message has the headers that we wrote, each once, and one reader."""
    seen = message_from_bytes(raw, policy=email.policy.default)
    names = [name.lower() for name in seen.keys()]  # noqa: SIM118 – a header may come twice
    if sorted(names) != HEADERS:
        raise Unsendable("its headers are not the ones that were written")
    if [address for _name, address in getaddresses([str(seen["To"])])] != [recipient]:
        raise Unsendable("it does not go to exactly one reader")


def _address(name: str, address: str) -> Address:
    try:
        return Address(display_name=_clean(name), addr_spec=address)
    except (ValueError, IndexError) as error:
        raise Unsendable(f"{address[:100]!r} is no address") from error


def _clean(text: str) -> str:
    """Text for a header: no control characters, nothing that decodes to some (CVE-2024-6923)."""
    kept = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text)
    while "=?" in kept:
        kept = kept.replace("=?", "")
    return " ".join(kept.split())[:LONGEST_HEADER]


def _tidy(text: str) -> str:
    """Plain text with single empty lines between paragraphs."""
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _message_id(mail: Mail) -> str:
    """The same for every attempt of one mail, so that a second copy is known as one."""
    host = parseaddr(config.current().mail_from)[1].partition("@")[2]
    host = host or urlsplit(config.current().base_url).hostname or "localhost"
    return f"<mail-{mail.id}-{keys.sign('message-id', mail.id, mail.created_at.isoformat())[:20]}@{host}>"
