"""Keys whose values are secrets, told by their names: `db.userPassword`, `X-Api-Key`, but not `max_tokens`."""

import re
import unicodedata
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

DEFAULT_SECRET_KEYS = (
    "password", "passwords", "passwd", "passphrase", "passcode", "pwd", "secret", "secrets", "token", "api_token",
    "access_token", "auth_token", "refresh_token", "bearer_token", "session_token", "api_key", "api_keys", "access_key",
    "secret_key", "private_key", "signing_key", "encryption_key", "account_key", "master_key", "subscription_key",
    "auth_key", "ssh_key", "client_secret", "authorization", "authorisation", "cookie", "cookies", "set_cookie",
    "credential", "credentials", "connection_string", "bearer", "jwt", "otp", "cvv", "cvc",
    "비밀번호", "패스워드", "パスワード", "暗証番号",
)  # fmt: skip
"""Compared without regard to case and to what is between the words."""

_COUNTED_TOKENS = frozenset(
    {
        "input", "output", "prompt", "completion", "reasoning", "cached", "generated", "first", "last", "per", "each",
        "eos", "bos", "pad", "unk", "sep", "cls", "mask", "stop", "start", "end", "special", "new", "next", "page",
        "continuation",
    }
)  # fmt: skip
"""Before `token` they make it a piece of a model's text, or a place in a list, and no secret."""
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W0-9A-Za-z_]+")
_MOST_REMEMBERED = 20_000
_END_CHARACTERS = 256
"""Of a key; only its last words matter."""
_UNMISTAKABLE_LETTERS = 8
"""A name of one word this long is told without separators before it too: `dbpassword`. So is one in Hangul or kana."""


class SecretKeys:
    """Tells which keys name a secret: those whose last words are one of the names."""

    def __init__(self, names: Iterable[str] = DEFAULT_SECRET_KEYS) -> None:
        split = [words for words in map(key_words, names) if words]
        self._names = frozenset(split)
        self._longest = max(map(len, split), default=0)
        self._endings = tuple(
            "".join(words)
            for words in split
            if len(words) > 1 or len(words[0]) >= _UNMISTAKABLE_LETTERS or not words[0].isascii()
        )
        self.last_words = frozenset(words[-1] for words in split)
        self._remembered: dict[str, bool] = {}
        either = "|".join(sorted({"[^0-9A-Za-z\"']*".join(map(re.escape, words)) for words in split}))
        self.pattern = f"(?i:{either})[0-9._\\[\\]-]*" if split else ""
        """RE2: matches the end of every such key, and of others."""

    def __contains__(self, key: str) -> bool:
        key = key[-_END_CHARACTERS:]
        known = self._remembered.get(key)
        if known is None:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            known = self._remembered[key] = self._names_a_secret(key)
        return known

    def among(self, keys: pa.Array) -> npt.NDArray[np.bool_]:
        """By key, of strings or a dictionary of them; each distinct key is looked at once. A null names nothing."""
        encoded = keys if pa.types.is_dictionary(keys.type) else keys.dictionary_encode()
        distinct = [key is not None and key in self for key in encoded.dictionary.to_pylist()]
        if not any(distinct):
            return np.zeros(len(keys), bool)
        indices = encoded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)
        answer: npt.NDArray[np.bool_] = np.array([*distinct, False])[indices]
        return answer

    def _names_a_secret(self, key: str) -> bool:
        words = key_words(key)
        while words and words[-1].isdecimal():
            words = words[:-1]  # `authorization.0`, `password2`
        if not words or (words[-1] == "token" and words[-2:-1] and words[-2] in _COUNTED_TOKENS):
            return False
        return any(words[-count:] in self._names for count in range(1, self._longest + 1)) or words[-1].endswith(
            self._endings
        )


def key_words(key: str) -> tuple[str, ...]:
    """The words of a key in snake_case, kebab-case, camelCase or with.dots, in lower case."""
    return tuple(word.lower() for word in _WORDS.findall(unicodedata.normalize("NFKC", key)))
