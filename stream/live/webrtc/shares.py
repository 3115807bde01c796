"""Under which keys and names publications may be watched. Only a publication's owner shares it.

A *key* cannot be guessed: it is for a link that the owner hands out. A *name* is public: it is listed, and anyone who
may use the server may watch.
"""

import base64
import hashlib
import re
import secrets
from typing import Final

from emocolor.errors import ConflictError, RequestError

KEY_BYTES: Final = 16
"""Of secrets and keys: 128 bits, 22 characters."""
MIN_SECRET_CHARACTERS, MAX_SECRET_CHARACTERS = 22, 200
MAX_SHARES: Final = 8
"""Keys and names of one publication."""
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,19}")
"""Shorter than any key, so that none is mistaken for the other."""


def new_secret() -> str:
    """A random secret of 128 bits, in characters that URLs need not quote."""
    return secrets.token_urlsafe(KEY_BYTES)


def key_of(secret: str) -> str:
    """The key that belongs to a secret of the owner: the same again after a new connection.

    Who has the key alone cannot share anything under it. Raises ``RequestError``.
    """
    if not (MIN_SECRET_CHARACTERS <= len(secret) <= MAX_SECRET_CHARACTERS and secret.isascii()):
        raise RequestError(f"A secret has {MIN_SECRET_CHARACTERS} to {MAX_SECRET_CHARACTERS} ASCII characters.")
    digest = hashlib.sha256(f"emocolor-stream share {secret}".encode()).digest()
    return base64.urlsafe_b64encode(digest[:KEY_BYTES]).decode().rstrip("=")


def check_name(name: str) -> None:
    """Raises ``RequestError`` where a stream cannot be called that."""
    if not NAME.fullmatch(name):
        raise RequestError("A public name has up to 20 letters, digits, '-' and '_'.")


class Shares:
    """Keys and public names, and the id of the publication that each of them stands for."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        self._names: set[str] = set()

    def share(self, owner: str, secret: str | None = None) -> str:
        """Share a publication by a key, and return it; ``secret`` determines the key, see ``key_of``.

        A key that stands for another publication passes on to this one: its owner has connected again.
        """
        return self._add(key_of(new_secret() if secret is None else secret), owner)

    def publish(self, owner: str, name: str) -> str:
        """Share a publication under a public name, and return it.

        Raises ``RequestError``, and ``ConflictError`` where another publication has the name.
        """
        check_name(name)
        if self._owners.get(name, owner) != owner:
            raise ConflictError("Another session has that public name. Choose another one.")
        self._add(name, owner)
        self._names.add(name)
        return name

    def close(self, owner: str) -> None:
        """Forget everything that a publication is shared as."""
        for key in self.of(owner):
            del self._owners[key]
            self._names.discard(key)

    def of(self, owner: str) -> list[str]:
        """Keys and names of a publication."""
        return [key for key, found in self._owners.items() if found == owner]

    def owner_of(self, key: str) -> str | None:
        """The id of the publication that a key or a name stands for."""
        return self._owners.get(key)

    def _add(self, key: str, owner: str) -> str:
        shared = self.of(owner)
        if key not in shared and len(shared) >= MAX_SHARES:
            raise RequestError(f"A session has up to {MAX_SHARES} keys and names. Stop sharing it first.")
        self._owners[key] = owner
        return key

    @property
    def names(self) -> dict[str, str]:
        """Public names, and the ids of their publications."""
        return {name: self._owners[name] for name in sorted(self._names)}
