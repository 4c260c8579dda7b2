"""Keys whose values are secrets."""

import pyarrow as pa
import pytest

from spanmill.pii.quoted_secrets import QuotedSecrets
from spanmill.pii.secret_keys import SecretKeys

_SECRETS = [
    "password", "db.userPassword", "user_password", "PASSWORD", "dbpassword", "password2", "X-Api-Key", "APIKey",
    "apikey", "OPENAI_API_KEY", "openai.apiKey", "accessToken", "refresh_token", "token", "github.token",
    "authorization",
    "http.request.header.authorization", "http.request.header.authorization.0", "Set-Cookie", "cookie", "client_secret",
    "clientSecret", "aws_secret_access_key", "private_key", "credential", "credentials", "pwd", "비밀번호",
    "사용자비밀번호", "パスワード",
]  # fmt: skip
_NO_SECRETS = [
    "gen_ai.usage.input_tokens", "max_tokens", "token_count", "llm.token_count.prompt", "tokenizer", "total_tokens",
    "llm.usage.total_tokens", "gen_ai.server.time_to_first_token", "time_per_output_token", "input_token", "session.id",
    "eos_token", "next_token", "secret_name", "password_hint_shown", "cookies_enabled", "author", "authorized",
    "key", "keyboard", "api_key_id", "primary_key", "", "...", "0", "tokens", "passwordless",
]  # fmt: skip


@pytest.mark.parametrize("key", _SECRETS)
def test_a_key_whose_last_words_name_a_secret_is_one(key: str) -> None:
    assert key in SecretKeys()


@pytest.mark.parametrize("key", _NO_SECRETS)
def test_counts_of_tokens_and_other_look_alikes_are_no_secrets(key: str) -> None:
    assert key not in SecretKeys()


def test_keys_are_told_by_the_column_also_as_a_dictionary() -> None:
    keys = pa.array(["a", "password", None, "a", "myToken"])
    assert SecretKeys().among(keys).tolist() == [False, True, False, False, True]
    assert SecretKeys().among(keys.dictionary_encode()).tolist() == [False, True, False, False, True]
    assert SecretKeys().among(keys[2:4]).tolist() == [False, False]
    assert SecretKeys().among(pa.array([], pa.string())).tolist() == []


def test_names_of_ones_own_are_told_in_every_spelling_and_others_are_not() -> None:
    keys = SecretKeys(["employee_badge"])
    assert all(key in keys for key in ("employeeBadge", "x.employee-badge", "EMPLOYEE_BADGE"))
    assert "badge" not in keys
    assert "password" not in keys


def test_without_names_no_key_is_a_secret() -> None:
    keys = SecretKeys(())
    assert "password" not in keys
    assert list(QuotedSecrets(keys).find(pa.array(["{'password': 'x'}"]), 0)) == []


def test_a_key_of_megabytes_is_told_by_its_end() -> None:
    assert "x" * 5_000_000 + ".password" in SecretKeys()


def _quoted(text: str, keys: SecretKeys | None = None) -> list[str]:
    found = QuotedSecrets(SecretKeys() if keys is None else keys).find(pa.array([None, "", text]), 7)
    return [text.encode()[start:end].decode() for _, spans in found for start, end, _ in spans]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"user": "kim", "password": "hunter2", "message": "cut of', ["hunter2"]),
        ('{"password": "hunt', ["hunt"]),
        ('{"password": "with \\"quotes\\" in it", "b": 1', ['with \\"quotes\\" in it']),
        ("{'api_key': 'abc', 'token': None, 'max_tokens': 5}", ["abc"]),
        ("{'db.userPassword' : \"x y\"}", ["x y"]),
        ('{"in": "{\\"secret\\": \\"abc\\", \\"b\\": 1', ["abc"]),
        ('{"pin_token": 1234, "x": ', ["1234"]),
        ("https://example.com/cb?state=1&access_token=abc.def&x=2#top", ["abc.def"]),
        ("https://example.com/?max_tokens=5&token_count=2", []),
        ('"비밀번호": "열려라참깨"', ["열려라참깨"]),
        ('{"max_tokens": 5, "usage": {"input_tokens": 3', []),
        ("password: hunter2", []),
        ("say 'token' : this is", ["this"]),
    ],
)
def test_values_are_found_under_quoted_keys_in_text_that_no_parser_reads(text: str, values: list[str]) -> None:
    assert _quoted(text) == values


def test_a_short_name_of_ones_own_is_found_in_text_too() -> None:
    assert _quoted("{'pw': 'abc'", SecretKeys(["pw"])) == ["abc"]


def test_a_colon_or_equals_sign_at_the_beginning_is_no_key() -> None:
    for text in (":", "=", '":', "=a", '"":', "\n:"):
        assert list(QuotedSecrets(SecretKeys()).find(pa.array([text]), 0)) == []
