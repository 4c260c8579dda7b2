"""What a user can put right: said in a sentence, never with a traceback."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from spanmill.config.problems import did_you_mean
from spanmill.errors import SpanmillError
from spanmill.exit_codes import ExitCode


class Mistake(SpanmillError):  # noqa: N818 - says whose
    """What was asked for cannot be done. The text says where, what is wrong, and what to do."""


def unknown(where: object, what: str, found: str, known: Iterable[str]) -> Mistake:
    """There is no such thing, but others: `a.parquet: there is no column "langage". Did you mean "language"?`"""
    known = list(known)
    hint = did_you_mean(found, known) or f"There is: {', '.join(known) or 'none'}."
    return Mistake(f'{where}: there is no {what} "{found}". {hint}')


def explained(run: Callable[[], int]) -> int:
    """The exit code of `run`; a mistake is said on standard error. Errors of configurations go on to the caller."""
    try:
        return run()
    except Mistake as mistake:
        complain(str(mistake))
    except OSError as error:
        complain(f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error))
    return ExitCode.USAGE


def complain(text: str) -> None:
    """A line on standard error."""
    sys.stderr.write(f"{text}\n")


def writable(path: Path) -> Path:
    """A file that is to be written: its directory is there. Raises `Mistake`."""
    if path.is_dir():
        raise Mistake(f"{path}: is a directory; expected a file to write")
    if not path.parent.is_dir():
        raise Mistake(f"{path}: there is no directory {path.parent}; make it first")
    return path
