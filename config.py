"""Every setting: its environment name, its default and its unit.

Production mode is a BASE_URL that starts with https://. Plain http is allowed for loopback hosts
only, and there it only drops what needs TLS: the `__Host-` prefix, `Secure` cookies and HSTS.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
SHORTEST_KEY = 32  # bytes
KNOWN_KEYS = {"changeme" * 4, "secret" * 6, "development-key-not-for-production"}


class SettingError(ValueError):
    """A setting that cannot be used; the text says which and what to do."""


@dataclass(frozen=True)
class Settings:
    """The settings of one running Portico."""

    data_dir: Path
    database_url: str
    secret_key: str = field(repr=False)
    secret_key_fallbacks: tuple[str, ...] = field(default=(), repr=False)
    base_url: str = "http://127.0.0.1:8000"
    mail_url: str = field(default="", repr=False)
    mail_from: str = "Portico <partners@portico.example>"
    storage_url: str = field(default="", repr=False)
    redis_url: str = field(default="", repr=False)
    metrics_token: str = field(default="", repr=False)
    host: str = "127.0.0.1"
    port: int = 8000
    web_workers: int = 1
    staff_second_factor: str = "optional"
    translations: Path = ROOT / "translations"  # part of the program, so no environment names it
    trusted_proxies: int = 0
    debug: bool = False

    @property
    def is_production(self) -> bool:
        return self.base_url.startswith("https://")

    @property
    def is_second_factor_required(self) -> bool:
        return self.staff_second_factor == "required"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read and check every setting.

        Raises SettingError with one sentence that names the setting and the way out.
        """
        base_url = environment.get("BASE_URL", "http://127.0.0.1:8000").rstrip("/")
        _check_base_url(base_url)
        production = base_url.startswith("https://")
        data_dir = Path(environment.get("DATA_DIR", "var")).resolve()
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        debug = environment.get("FLASK_DEBUG", "0") not in {"", "0", "false", "False"}
        if production and debug:
            raise SettingError("FLASK_DEBUG must be off in production mode (BASE_URL with https).")
        database_url = environment.get("DATABASE_URL") or f"sqlite:///{data_dir / 'portico.sqlite3'}"
        _check_database_url(database_url, production)
        second_factor = environment.get("STAFF_SECOND_FACTOR") or ("required" if production else "optional")
        if second_factor not in {"required", "optional"}:
            raise SettingError("STAFF_SECOND_FACTOR must be 'required' or 'optional'.")
        fallbacks = environment.get("SECRET_KEY_FALLBACKS", "").split(",")
        return cls(
            data_dir=data_dir,
            database_url=database_url,
            secret_key=_secret_key(environment.get("SECRET_KEY", ""), data_dir, production),
            secret_key_fallbacks=tuple(filter(None, fallbacks)),
            base_url=base_url,
            mail_url=environment.get("MAIL_URL") or f"file:{data_dir / 'outbox'}",
            mail_from=environment.get("MAIL_FROM", cls.mail_from),
            storage_url=environment.get("STORAGE_URL") or f"file:{data_dir / 'files'}",
            redis_url=environment.get("REDIS_URL", ""),
            metrics_token=environment.get("METRICS_TOKEN", ""),
            host=environment.get("HOST", "127.0.0.1"),
            port=_whole("PORT", environment.get("PORT", "8000"), 1, 65_535),
            web_workers=_whole("WEB_WORKERS", environment.get("WEB_WORKERS") or str(_cores()), 1, 64),
            staff_second_factor=second_factor,
            trusted_proxies=_whole("TRUSTED_PROXIES", environment.get("TRUSTED_PROXIES", "0"), 0, 5),
            debug=debug,
        )


def _cores() -> int:
    return min(os.cpu_count() or 1, 64)


def _whole(name: str, text: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise SettingError(f"{name} must be a whole number from {least} to {most}.")
    return int(text)


def _check_base_url(base_url: str) -> None:
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query:
        raise SettingError("BASE_URL must be like https://partners.example.org, without a path.")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise SettingError("BASE_URL may be plain http only for 127.0.0.1 or localhost; use https.")


def _check_database_url(database_url: str, production: bool) -> None:
    if not database_url.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise SettingError("DATABASE_URL must start with postgresql+psycopg:// or sqlite:///.")
    password = urlsplit(database_url).password
    if production and password in {"postgres", "password", "changeme", "portico"}:
        raise SettingError("DATABASE_URL holds a well-known password; give the database user its own.")


def _secret_key(given: str, data_dir: Path, production: bool) -> str:
    """The key that was set, or outside production one that is made once and kept in DATA_DIR."""
    if given:
        if production and (len(given.encode()) < SHORTEST_KEY or given in KNOWN_KEYS):
            raise SettingError(f"SECRET_KEY must be at least {SHORTEST_KEY} random bytes.")
        return given
    if production:
        raise SettingError("SECRET_KEY must be set in production mode (BASE_URL with https).")
    kept = data_dir / "secret_key"
    try:
        with os.fdopen(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return kept.read_text().strip()


_current: Settings | None = None


def use(settings: Settings) -> None:
    """Make these the settings that the services of this process read; create_app calls it."""
    global _current  # noqa: PLW0603 – one process runs one Portico
    _current = settings


def current() -> Settings:
    """The settings in use; RuntimeError before create_app."""
    if _current is None:
        raise RuntimeError("no settings in use: create_app comes first")
    return _current
