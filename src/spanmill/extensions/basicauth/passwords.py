"""Checks passwords without holding anyone up: slow checks in a thread, once for each pair of user and password.

bcrypt takes 50 ms and more by design. Without a memory every request of a sender would cost that, and without a bound
anyone who guesses could keep every core busy.
"""

import asyncio
import hashlib
import hmac
import os
import secrets
import string
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Final

from spanmill.errors import Busy
from spanmill.extensions.basicauth.htpasswd import Expected

MOST_WAITING: Final = 64
"""Checks that wait for the thread, about three seconds' worth; beyond it senders are told to come again."""
_MOST_REMEMBERED: Final = 4096
_ALPHABET: Final = string.ascii_letters + string.digits + "./"


class Passwords:
    """The users of one version of the credentials, with what was found out about passwords so far.

    Made anew when the credentials change, so that nothing is remembered beyond them. Used on the event loop only.
    """

    def __init__(self, users: Mapping[bytes, Expected]) -> None:
        self._users = users
        self._nobody = _nobody(users)
        self._key = os.urandom(32)
        self._right = _Remembered()
        self._wrong = _Remembered()  # apart, so that guesses cannot push out what is right
        self._running: dict[bytes, asyncio.Future[bool]] = {}

    async def verify(self, user: bytes, password: bytes, executor: Executor) -> bool:
        """Whether the user has this password. An unknown user takes as long as a known one. Raises `Busy`."""
        expected = self._users.get(user, self._nobody)
        if not expected.slow:
            return expected.matches(password) and user in self._users
        key = hmac.digest(self._key, len(user).to_bytes(8, "big") + user + password, hashlib.sha256)
        if self._right.holds(key):
            return True
        if self._wrong.holds(key):
            return False
        return await asyncio.shield(self._running.get(key) or self._begin(key, user, password, executor))

    def _begin(self, key: bytes, user: bytes, password: bytes, executor: Executor) -> "asyncio.Future[bool]":
        if len(self._running) >= MOST_WAITING:
            raise Busy("too many passwords are being checked")
        expected = self._users.get(user, self._nobody)
        check = asyncio.get_running_loop().run_in_executor(executor, expected.matches, password)
        self._running[key] = check

        def remember(done: "asyncio.Future[bool]") -> None:
            del self._running[key]
            if not done.cancelled() and done.exception() is None:
                (self._right if done.result() and user in self._users else self._wrong).add(key)

        check.add_done_callback(remember)
        return check


class _Remembered:
    """The latest keys, at most so many."""

    def __init__(self) -> None:
        self._keys: OrderedDict[bytes, None] = OrderedDict()

    def holds(self, key: bytes) -> bool:
        """Whether the key is there; it counts as the latest then."""
        if key not in self._keys:
            return False
        self._keys.move_to_end(key)
        return True

    def add(self, key: bytes) -> None:
        self._keys[key] = None
        if len(self._keys) > _MOST_REMEMBERED:
            self._keys.popitem(last=False)


def _nobody(users: Mapping[bytes, Expected]) -> Expected:
    """What no password matches, at the cost of the dearest user: it tells nobody which users there are."""
    cost = max((expected.cost for expected in users.values()), default=0)
    if not cost:
        return Expected("sha1", os.urandom(20))
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(51))
    return Expected("bcrypt", f"$2b${cost:02d}${letters[:21]}.{letters[21:]}{secrets.choice(_ALPHABET)}".encode())
