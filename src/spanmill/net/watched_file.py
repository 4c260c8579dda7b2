"""A small file whose content is in use and that may be replaced while the daemon runs: credentials."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from spanmill.telemetry.logs import Log

T = TypeVar("T")

CHECK_SECONDS: Final = 1.0
_LARGEST_BYTES: Final = 1024 * 1024
_Stamp = tuple[int, int, int] | None


class WatchedFile(Generic[T]):
    """What `parse` makes of a file. Looked at when it is asked for, at most once a second.

    A file that is gone, empty or wrong is logged, and what was read before stays in use. `parse` raises `ValueError`
    for content that cannot be used; its message must show nothing secret.
    """

    def __init__(self, path: str, parse: Callable[[str], T], log: Log, check_seconds: float = CHECK_SECONDS) -> None:
        """Read the file. Raises `OSError` or `ValueError` with its path."""
        self._path = path
        self._parse = parse
        self._log = log
        self._check_seconds = check_seconds
        self._seen = _stamp(path)
        self._checked = time.monotonic()
        self._value = self._read()

    def current(self) -> T:
        """The content; a new object after each change."""
        now = time.monotonic()
        if now - self._checked >= self._check_seconds:
            self._checked = now
            self._follow()
        return self._value

    def _follow(self) -> None:
        stamp = _stamp(self._path)
        if stamp == self._seen:
            return
        self._seen = stamp  # taken before reading: what is written meanwhile is a change again
        try:
            self._value = self._read()
        except (OSError, ValueError) as error:
            self._log.error("credentials cannot be read again; the ones before stay in use", reason=str(error))
        else:
            self._log.info("credentials were read again", file=self._path)

    def _read(self) -> T:
        try:
            with Path(self._path).open("rb") as file:
                data = file.read(_LARGEST_BYTES + 1)
        except OSError as error:
            raise OSError(f"cannot read {self._path}: {error.strerror}") from None
        if len(data) > _LARGEST_BYTES:
            raise ValueError(f"{self._path}: larger than {_LARGEST_BYTES} bytes")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValueError(f"{self._path}: not UTF-8 text") from None
        try:
            return self._parse(text)
        except ValueError as error:
            raise ValueError(f"{self._path}: {error}") from None


def _stamp(path: str) -> _Stamp:
    try:
        found = os.stat(path)  # noqa: PTH116 - on the way of requests
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
