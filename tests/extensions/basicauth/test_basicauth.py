"""Users and passwords at receivers and from exporters: checked once, off the event loop, and followed in files."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bcrypt
import pytest

from spanmill.errors import Busy, StartError
from spanmill.extensions.basicauth.passwords import MOST_WAITING
from tests.extensions.credentials import authenticator, basic, headers, reason
from tests.logs import CapturedLog

TYPE = "basicauth"


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


class Checks:
    """Counts bcrypt's checks, and holds them up while `go` is not set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.threads: set[int] = set()
        self.go = threading.Event()
        self.go.set()
        check = bcrypt.checkpw

        def counting(password: bytes, stored: bytes) -> bool:
            self.count += 1
            self.threads.add(threading.get_ident())
            assert self.go.wait(10)
            return check(password, stored)

        monkeypatch.setattr(bcrypt, "checkpw", counting)

    @contextmanager
    def held_up(self) -> Iterator[None]:
        self.go.clear()
        try:
            yield
        finally:
            self.go.set()


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Checks:
    return Checks(monkeypatch)


async def test_a_user_is_let_in_with_the_right_password_only() -> None:
    inline = f"ada:{hashed('one')}\nbob:two\nélise:{hashed('dréi:3')}\n"
    async with authenticator(TYPE, {"htpasswd": {"inline": inline}}) as it:
        assert await it.authenticate(headers(Authorization=basic("ada", "one"))) == "ada"
        assert await it.authenticate(headers(Authorization=basic("bob", "two"))) == "bob"
        assert await it.authenticate(headers(Authorization=basic("élise", "dréi:3"))) == "élise"
        for user, password in (
            ("ada", "two"),
            ("bob", "one"),
            ("ada", ""),
            ("", "one"),
            ("eve", "one"),
            ("ADA", "one"),
        ):
            assert await reason(it, Authorization=basic(user, password)) == "wrong_credentials"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (basic("ada", "one").replace("Basic", "bASIC"), ""),
        (basic("ada", "one").replace("Basic", "Bearer"), "wrong_scheme"),
        ("Basic", "malformed_credentials"),
        ("Basic !!!!", "malformed_credentials"),
        ("Basic YWRh", "malformed_credentials"),
        ("Basic \udcff", "malformed_credentials"),
        (basic("ada", "one") + "\x00", "malformed_credentials"),
        ("ada:one", "wrong_scheme"),
    ],
)
async def test_what_is_not_basic_authentication_is_not_let_in(value: str, expected: str) -> None:
    async with authenticator(TYPE, {"htpasswd": {"inline": "ada:one"}}) as it:
        assert await reason(it, Authorization=value) == expected


async def test_a_password_is_checked_once_however_often_it_is_sent(checks: Checks) -> None:
    async with authenticator(TYPE, {"htpasswd": {"inline": f"ada:{hashed('one')}"}}) as it:
        for _ in range(5):
            assert await reason(it, Authorization=basic("ada", "one")) == ""
            assert await reason(it, Authorization=basic("ada", "wrong")) == "wrong_credentials"
        assert checks.count == 2


async def test_many_requests_at_once_wait_for_one_check_and_hold_nobody_up(checks: Checks) -> None:
    async with authenticator(TYPE, {"htpasswd": {"inline": f"ada:{hashed('one')}\nbob:two"}}) as it:
        with checks.held_up():
            waiting = [asyncio.create_task(reason(it, Authorization=basic("ada", "one"))) for _ in range(50)]
            await asyncio.sleep(0)
            assert await reason(it, Authorization=basic("bob", "two")) == ""
            waiting[0].cancel()  # a sender that goes away takes no other with it
            await asyncio.sleep(0)
        assert set(await asyncio.gather(*waiting[1:])) == {""}
        assert checks.count == 1
        assert threading.get_ident() not in checks.threads


async def test_who_guesses_fast_is_told_to_come_again(checks: Checks) -> None:
    async with authenticator(TYPE, {"htpasswd": {"inline": f"ada:{hashed('one')}"}}) as it:
        assert await reason(it, Authorization=basic("ada", "one")) == ""
        with checks.held_up():
            guesses = [
                asyncio.create_task(reason(it, Authorization=basic("ada", f"guess-{number}")))
                for number in range(MOST_WAITING + 1)
            ]
            await asyncio.sleep(0)
            assert await reason(it, Authorization=basic("ada", "one")) == ""  # whoever is known is not held up
        results = await asyncio.gather(*guesses, return_exceptions=True)
        assert [isinstance(result, Busy) for result in results] == [False] * MOST_WAITING + [True]
        assert set(results[:-1]) == {"wrong_credentials"}


async def test_an_unknown_user_costs_as_much_as_a_known_one(checks: Checks) -> None:
    """Otherwise the time would tell which users there are."""
    async with authenticator(TYPE, {"htpasswd": {"inline": f"ada:{hashed('one')}\nbob:two"}}) as it:
        assert await reason(it, Authorization=basic("eve", "one")) == "wrong_credentials"
        assert checks.count == 1


async def test_a_changed_file_forgets_what_was_found_out(tmp_path: Path) -> None:
    path = tmp_path / "htpasswd"
    path.write_text(f"ada:{hashed('one')}\n")
    log = CapturedLog()
    async with authenticator(TYPE, {"htpasswd": {"file": str(path), "inline": "bob:two"}}, log) as it:
        assert await reason(it, Authorization=basic("ada", "one")) == ""
        path.write_text(f"ada:{hashed('another')}\nbob:other\n")
        assert await reason(it, Authorization=basic("ada", "one")) == "wrong_credentials"
        assert await reason(it, Authorization=basic("ada", "another")) == ""
        assert await reason(it, Authorization=basic("bob", "two")) == ""
        path.write_text("ada:$6$s3cret$hash\n")
        assert await reason(it, Authorization=basic("ada", "another")) == ""
        path.write_text("")
        assert await reason(it, Authorization=basic("ada", "another")) == ""
        assert await reason(it, Authorization=basic("", "")) == "wrong_credentials"
    unsupported = "hashes that begin with $6$ are not supported"
    errors = [entry["reason"] for entry in log.entries if entry["log_level"] == "error"]
    assert errors == [
        f"{path}: line 1: the password of ada: {unsupported}; make it again with `htpasswd -B`",
        f"{path}: there are no users in it",
    ]


async def test_a_file_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "htpasswd"
    for text, message in (("ada:$apr1$x$y\n", "line 1: the password of ada"), ("", "there are no users in it")):
        path.write_text(text)
        with pytest.raises(StartError, match=f"extension basicauth: cannot start: {path}: {message}"):
            async with authenticator(TYPE, {"htpasswd": {"file": str(path)}}):
                pass


async def test_an_exporter_sends_user_and_password() -> None:
    async with authenticator(TYPE, {"client_auth": {"username": "ada", "password": "pa:ss wörd"}}) as it:
        assert it.credentials().header == "Authorization"
        assert it.credentials().value == basic("ada", "pa:ss wörd")
        assert "pa:ss" not in repr(it.credentials())


async def test_files_of_user_and_password_are_followed(tmp_path: Path) -> None:
    user, password = tmp_path / "user", tmp_path / "password"
    user.write_text("ada\n")
    password.write_text("one\n")
    body = {"username": "ignored", "username_file": str(user), "password_file": str(password)}
    async with authenticator(TYPE, {"client_auth": body}) as it:
        assert it.credentials().value == basic("ada", "one")
        password.write_text("two\n")
        user.write_text("bob")
        assert it.credentials().value == basic("bob", "two")
        password.unlink()
        user.write_text("a:b")
        assert it.credentials().value == basic("bob", "two")
