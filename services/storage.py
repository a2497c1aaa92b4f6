"""One way to files: a local folder or a bucket, whichever STORAGE_URL names.

A file lies under a room ("logos") and 128 random bits, never under a name that somebody typed, and is
never written twice. Who may have it is asked before this; here a key is enough.
"""

import re
import secrets
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

import obstore
from obstore.store import LocalStore, S3Store

import config

if TYPE_CHECKING:
    from obstore.store import S3Config

CHUNK = 256 * 1024  #: bytes of one piece of a streamed file

_KEY = re.compile(r"[a-z]{1,20}/[0-9a-f]{32}")
_ROOM = re.compile(r"[a-z]{1,20}")
#: What an s3:// address may say after the question mark; the rest comes from the environment as AWS names it.
_S3_OPTIONS = frozenset({"endpoint", "region", "access_key_id", "secret_access_key"})


def put(room: str, content: bytes) -> str:
    """Keep the content under a new key of the room, and give the key."""
    if not _ROOM.fullmatch(room):
        raise ValueError(f"no room is called {room!r}")
    key = f"{room}/{secrets.token_hex(16)}"
    store, folder = _store()
    if folder:
        (folder / room).mkdir(mode=0o700, exist_ok=True)
    obstore.put(store, key, content)
    if folder:
        (folder / key).chmod(0o600)
    return key


def get(key: str) -> bytes | None:
    """The whole content, or None where nothing lies under the key."""
    pieces = stream(key)
    return b"".join(pieces) if pieces is not None else None


def stream(key: str) -> Iterator[bytes] | None:
    """The content in pieces of about CHUNK bytes, or None where nothing lies under the key."""
    try:
        found = obstore.get(_store()[0], _checked(key))
    except FileNotFoundError:
        return None
    return (bytes(piece) for piece in found.stream(min_chunk_size=CHUNK))


def delete(key: str) -> None:
    """Let go of the content; nothing happens where there is none."""
    try:
        obstore.delete(_store()[0], _checked(key))
    except FileNotFoundError:
        return


def everything() -> Iterator[str]:
    """The key of every file, for backups."""
    for batch in obstore.list(_store()[0]):
        yield from (str(found["path"]) for found in batch if _KEY.fullmatch(str(found["path"])))


def put_back(key: str, content: bytes) -> None:
    """Keep the content under the key that it had when it was backed up."""
    store, folder = _store()
    room = _checked(key).partition("/")[0]
    if folder:
        (folder / room).mkdir(mode=0o700, exist_ok=True)
    obstore.put(store, key, content)
    if folder:
        (folder / key).chmod(0o600)


def is_reachable() -> bool:
    """Whether the storage answers; for the readiness check."""
    try:
        obstore.list_with_delimiter(_store()[0])
    except (OSError, obstore.exceptions.BaseError):
        return False
    return True


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError("a storage key is a room and 32 hexadecimal digits")
    return key


def _store() -> tuple[LocalStore | S3Store, Path | None]:
    return _open(config.current().storage_url)


@lru_cache(maxsize=4)
def _open(url: str) -> tuple[LocalStore | S3Store, Path | None]:
    """The store of an address, and its folder where it is one."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        folder = Path(unquote(parts.path)).resolve()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        return LocalStore(folder), folder
    if parts.scheme != "s3" or not parts.netloc:
        raise config.SettingError("STORAGE_URL must be like file:/srv/portico/files or s3://bucket/prefix.")
    given = {name.replace("endpoint_url", "endpoint"): value for name, value in parse_qsl(parts.query)}
    if unknown := given.keys() - _S3_OPTIONS - {"virtual_hosted_style"}:
        raise config.SettingError(
            f"STORAGE_URL has an option that is not known: {', '.join(sorted(unknown))}."
        )
    return _s3(parts.netloc, parts.path.strip("/"), given), None


def _s3(bucket: str, prefix: str, given: dict[str, str]) -> S3Store:
    options: S3Config = {"virtual_hosted_style_request": given.get("virtual_hosted_style") == "true"}
    for name in _S3_OPTIONS & given.keys():
        options[name] = given[name]  # type: ignore[literal-required]
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=options,
        client_options={
            "allow_http": given.get("endpoint", "").startswith("http://"),
            "timeout": "30s",
            "connect_timeout": "5s",
        },
        retry_config={"max_retries": 3},
    )
