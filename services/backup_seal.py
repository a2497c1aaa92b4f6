"""The envelope of a backup: encrypted piece by piece with a key of SECRET_KEY, so that size does not matter.

AES-256-GCM over pieces of one megabyte; each nonce counts and says whether it is the last piece, so that a
file that was cut, changed or put together from two does not open.
"""

import io
import secrets
import struct
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = b"portico backup 1\n"
PIECE = 1 << 20  # bytes of plain text
SALT = 16  # bytes


class Unopenable(Exception):
    """The file is no backup of ours, is damaged, or was made with another SECRET_KEY."""


class Sealer(io.RawIOBase):
    """A file to write to, whose content lands encrypted in `target`; close it to finish."""

    def __init__(self, target: BinaryIO, secret_key: str) -> None:
        super().__init__()
        salt = secrets.token_bytes(SALT)
        target.write(MAGIC + salt)
        self._target = target
        self._box = AESGCM(_key(secret_key, salt))
        self._waiting = bytearray()
        self._number = 0

    def writable(self) -> bool:
        return True

    def write(self, content: bytes) -> int:  # type: ignore[override]  # bytes are all that tarfile writes
        self._waiting += content
        while len(self._waiting) > PIECE:
            self._put(bytes(self._waiting[:PIECE]), is_last=False)
            del self._waiting[:PIECE]
        return len(content)

    def close(self) -> None:
        if not self.closed:
            self._put(bytes(self._waiting), is_last=True)
            super().close()

    def _put(self, plain: bytes, *, is_last: bool) -> None:
        sealed = self._box.encrypt(_nonce(self._number, is_last=is_last), plain, None)
        self._target.write(struct.pack(">I", len(sealed)) + sealed)
        self._number += 1


class Opener(io.RawIOBase):
    """A sealed file to read from, decrypted with the first of the keys that fits.

    Raises Unopenable.
    """

    def __init__(self, source: BinaryIO, secret_keys: tuple[str, ...]) -> None:
        super().__init__()
        if source.read(len(MAGIC)) != MAGIC:
            raise Unopenable("This is not a backup of Portico.")
        salt = source.read(SALT)
        self._source = source
        self._number = 0
        self._is_over = False
        self._ready = bytearray()
        first = self._sealed()
        for key in secret_keys:
            self._box = AESGCM(_key(key, salt))
            if self._take(first):
                return
        raise Unopenable("The backup does not open: it is damaged, or was made with another SECRET_KEY.")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what io hands us
        while not self._ready and not self._is_over:
            if not self._take(self._sealed()):
                raise Unopenable("The backup is damaged.")
        given = bytes(self._ready[: len(buffer)])
        buffer[: len(given)] = given
        del self._ready[: len(given)]
        return len(given)

    def _sealed(self) -> bytes:
        head = self._source.read(4)
        (length,) = struct.unpack(">I", head) if len(head) == 4 else (0,)
        sealed = self._source.read(length) if length <= PIECE + 16 else b""
        if not length or len(sealed) != length:
            raise Unopenable("The backup is not complete: its end is missing.")
        return sealed

    def _take(self, sealed: bytes) -> bool:
        for is_last in (False, True):
            try:
                self._ready += self._box.decrypt(_nonce(self._number, is_last=is_last), sealed, None)
            except InvalidTag:
                continue
            self._is_over = is_last
            self._number += 1
            return True
        return False


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


def _key(secret_key: str, salt: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=b"portico:backup").derive(secret_key.encode())
