"""A replay from beginning to end: look, count, send, say what became of it."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from spanmill.conditions import Condition, InvalidCondition
from spanmill.errors import ConfigError, StartError
from spanmill.exit_codes import ExitCode
from spanmill.replay.destination import Destination
from spanmill.replay.moments import moment, seconds
from spanmill.replay.options import Configured, Options, ReplayError, Selection, Target
from spanmill.replay.piece import Piece, Source
from spanmill.replay.sending import UNREADABLE, Outcome, Progress, Sender, Settings, count
from spanmill.replay.sources import source_at
from spanmill.signal import Signal

_MOST_PROBLEMS = 20
"""Sentences that are written; of the rest, how many."""


def run_replay(options: Options) -> int:
    """Send the sources' items again; gives the exit code. What the user can put right is said on standard error.

    Raises `ConfigError`.
    """
    try:
        return _run(options)
    except (ReplayError, InvalidCondition) as error:
        _complain(str(error))
        return ExitCode.USAGE
    except ConfigError:
        raise
    except StartError as error:
        _complain(str(error))
        return ExitCode.START
    except UNREADABLE as error:
        _complain(_in_words(error))
        return ExitCode.USAGE


def _run(options: Options) -> int:
    where = _where(options)
    selection, settings = _selection(options), _settings(options)
    destination = None if where is None else Destination(where)
    sources = [source_at(path) for path in options.sources]
    _check(options, sources)
    found: Counter[Signal] = Counter()
    for piece in _pieces(sources, selection):
        found[piece.signal] += piece.items
        if destination is not None:
            destination.check(piece.exporter)
    if not found:
        _complain(f"nothing to replay: {', '.join(map(str, options.sources))} has no items that are selected")
        return ExitCode.OK
    conditions = _conditions(selection, found)
    with _progress(found.total()) as progress:
        pieces = _pieces(sources, selection)
        if destination is None:
            counts, problems = count(pieces, conditions, progress.advance)
            outcome = Outcome(counts, problems=problems)
        else:
            outcome = _send(Sender(settings, destination, conditions, progress), destination, pieces)
    return _report(outcome, found, "would be sent" if destination is None else "were sent")


def _where(options: Options) -> Target | Configured | None:
    """Where to; None to count only. Raises `ReplayError`."""
    target, configured = options.target, options.configured
    if target != Target() and not target.endpoint:
        raise ReplayError("--protocol, --header, --insecure and the certificates go with --to, which is missing")
    if configured.exporter and not configured.sources:
        raise ReplayError("--exporter names an exporter of a configuration, which is missing: --config")
    if target.endpoint and configured.sources:
        raise ReplayError("--to and --config both say where to; expected one of them")
    if options.dry_run:
        return None
    if not (target.endpoint or configured.sources):
        raise ReplayError("nothing says where to; expected --to, or --config, or --dry-run")
    return target if target.endpoint else configured


def _selection(options: Options) -> Selection:
    now, given = time.time(), options.selection
    since = moment(options.since, "since", now) if options.since else given.since
    until = moment(options.until, "until", now) if options.until else given.until
    return replace(given, since=since, until=until)


def _settings(options: Options) -> Settings:
    return Settings(options.rate, options.delete, seconds(options.give_up_after, "give-up-after"))


def _pieces(sources: Sequence[Source], selection: Selection) -> Iterator[Piece]:
    for source in sources:
        yield from source.pieces(selection)


def _check(options: Options, sources: Sequence[Source]) -> None:
    """Refuse what cannot mean anything. Raises `ReplayError`."""
    selection = options.selection
    numbered = selection.first is not None or selection.last is not None
    if numbered and not all(source.journal for source in sources):
        raise ReplayError("--first and --last number the records of a journal; not every source is one")
    if options.delete and not all(source.letters for source in sources):
        raise ReplayError("--delete removes dead letters, and nothing else; not every source holds them")
    if options.delete and selection.where:
        raise ReplayError("--delete removes whole dead letters; it cannot be used with --where")


def _conditions(selection: Selection, found: Mapping[Signal, int]) -> dict[Signal, Condition]:
    """Raises `InvalidCondition`, with the table that the condition does not fit."""
    if not selection.where:
        return {}
    conditions = {}
    for signal in found:
        try:
            conditions[signal] = Condition(selection.where, signal)
        except InvalidCondition as error:
            hint = f" (--signal {signal.value} is among what is selected)" if len(found) > 1 else ""
            raise ReplayError(f"--where: {error}{hint}") from None
    return conditions


def _send(sender: Sender, destination: Destination, pieces: Iterator[Piece]) -> Outcome:
    async def send() -> None:
        try:
            await sender.send(pieces)
        finally:
            await destination.stop()

    try:
        asyncio.run(send())
    except KeyboardInterrupt:
        sender.outcome.stopped = "interrupted"
    return sender.outcome


def _report(outcome: Outcome, found: Mapping[Signal, int], verb: str) -> int:
    """Say it; the exit code."""
    for problem in outcome.problems[:_MOST_PROBLEMS]:
        _complain(problem)
    if len(outcome.problems) > _MOST_PROBLEMS:
        _complain(f"... and {len(outcome.problems) - _MOST_PROBLEMS} more like these")
    if outcome.stopped:
        _complain(outcome.stopped)
    parts = ", ".join(f"{outcome.sent[signal]:,} {signal.item.replace('_', ' ')}" for signal in found)
    sentences = [f"{outcome.sent.total():,} items {verb}: {parts}."]
    if outcome.rejected:
        sentences.append(f"{outcome.rejected:,} were refused.")
    if outcome.removed:
        sentences.append(f"{outcome.removed:,} dead letters were delivered and deleted.")
    if outcome.stopped:
        sentences.append("The rest was not tried.")
    sys.stdout.write(f"{' '.join(sentences)}\n")
    return ExitCode.OK if outcome.complete else ExitCode.UNDELIVERED


class _Unwatched:
    """Nobody watches. Implements `Progress`."""

    def advance(self, items: int) -> None: ...

    def waits(self, reason: str) -> None: ...


@contextmanager
def _progress(total: int) -> Iterator[Progress]:
    """A bar on a terminal."""
    if not sys.stderr.isatty():
        yield _Unwatched()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("items"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)

        class Watched:
            def advance(self, items: int) -> None:
                bar.advance(task, items)

            def waits(self, reason: str) -> None:
                bar.update(task, description=reason[:60])

        yield Watched()


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")
