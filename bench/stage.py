"""A database of a given size with the application and the floor on it, and somebody signed in to each."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from sqlalchemy import create_engine, select

import clock
import config
from app import create_app
from bench import floor
from demo import rows, scale
from models import Affiliation, LinkPurpose, PartnerRole, Person, SignInLink, StaffRole, db
from permissions import Contact, System
from services import keys, sessions, staff, staff_sign_in
from services.transaction import transaction

#: What the clients of this bench say they are.
FAMILIES = ("Other", "Other")


@dataclass
class Stage:
    """Everything that the tasks of one size need."""

    deals: int
    app: Flask
    ours: FlaskClient
    floor: FlaskClient
    entities: int

    def links(self, count: int) -> list[str]:
        """Fresh sign-in links, each of another person, as the mail worker would have minted them."""
        tokens = [keys.mint() for _ in range(count)]
        with self.app.app_context(), transaction() as session:
            people = session.scalars(
                select(Person).where(Person.is_active.is_(True)).order_by(Person.id).limit(count)
            ).all()
            for token, person in zip(tokens, people, strict=True):
                session.add(
                    SignInLink(
                        token_digest=keys.digest(token),
                        purpose=LinkPurpose.SIGN_IN,
                        person_id=person.id,
                        person_epoch=person.epoch,
                        email_canonical=person.email_canonical,
                        expires_at=clock.now() + timedelta(minutes=30),
                    )
                )
        return tokens


@contextmanager
def stage(database_url: str, deals: int, seed: int = 7) -> Iterator[Stage]:
    """Fill the database at that address, put both applications on it and sign in."""
    with tempfile.TemporaryDirectory(prefix="portico-bench-") as folder:
        settings = config.Settings(
            data_dir=Path(folder),
            database_url=database_url,
            secret_key=keys.mint(),
            mail_url=f"file:{folder}/outbox",
            storage_url=f"file:{folder}/files",
        )
        app = create_app(settings)
        with app.app_context():
            upgrade()
            began = time.monotonic()
            scale.generate(deals, seed, tell=lambda _line: None)
            print(f"  {deals:,} deals' worth of rows in {time.monotonic() - began:.0f} s", flush=True)
        entities = rows.Size(deals).entities
        engine = create_engine(database_url)
        yield Stage(deals, app, _ours(app), _floor(floor.make(engine)), entities)
        engine.dispose()
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


def _ours(app: Flask) -> FlaskClient:
    client = app.test_client()
    with app.app_context():
        password = keys.mint()
        with transaction():
            staff.create(
                actor=System(),
                email="bench@staff.example",
                full_name="Bench",
                role=StaffRole.ADMIN,
                password=password,
            )
        checked = staff_sign_in.check(email="bench@staff.example", password=password)
        with transaction():
            outcome = staff_sign_in.record(checked, browser=FAMILIES[0], system=FAMILIES[1])
        first = db.session.scalars(
            select(Affiliation)
            .where(Affiliation.role == PartnerRole.PRINCIPAL)
            .order_by(Affiliation.id)
            .limit(1)
        ).one()
        with transaction():
            _row, token = sessions.start(
                contact=Contact(first.person, first), browser=FAMILIES[0], system=FAMILIES[1]
            )
    client.set_cookie("staff", outcome.token or "", domain="localhost")
    client.set_cookie("pp", token, domain="localhost")
    return client


def _floor(app: Flask) -> FlaskClient:
    client = app.test_client()
    client.get("/floor/staff/1")
    client.get("/floor/person/1")
    return client
