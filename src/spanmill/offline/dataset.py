"""`spanmill dataset`: chosen rows as JSON lines, masked on the way out, each content once, always in one order."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from spanmill.disk import temporary
from spanmill.exit_codes import ExitCode
from spanmill.offline.examples import Example, Examples
from spanmill.offline.inputs import opened
from spanmill.offline.mistakes import Mistake, complain, explained, writable
from spanmill.offline.texts import Masking, content_key

_MASKED = ("input", "output", "context", "reference", "label")


@dataclass(frozen=True, slots=True)
class DatasetOptions:
    """An export, as of the command line."""

    source: Path
    output: Path
    where: str = ""
    limit: int | None = None
    """Most rows to write; None: all."""
    columns: Sequence[str] = ()
    """Those that go along as metadata; none: the usual."""
    masked: bool = True
    overwrite: bool = False


def run_dataset(options: DatasetOptions) -> int:
    """Write the file; gives the exit code."""
    return explained(lambda: _run(options))


def _run(options: DatasetOptions) -> int:
    if writable(options.output).exists() and not options.overwrite:
        raise Mistake(f"{options.output}: there is such a file already; expected a new name, or --overwrite")
    unfinished = temporary(options.output)
    export = _Export(options)
    try:
        with unfinished.open("wb") as file:
            export.write(file)
        if not export.counts["written"]:
            raise Mistake(_nothing(options, export.counts))
        unfinished.replace(options.output)
    finally:
        unfinished.unlink(missing_ok=True)
    sys.stdout.write(export.summary())
    if not options.masked:
        complain("--no-mask: texts are as they are stored; personal data in them is now in the file too")
    return ExitCode.OK


class _Export:
    def __init__(self, options: DatasetOptions) -> None:
        self._options = options
        self._masking = Masking(enabled=options.masked)
        self._seen: set[bytes] = set()
        self.counts: Counter[str] = Counter()

    def write(self, file: BinaryIO) -> None:
        most = self._options.limit
        with opened(self._options.source, "spans") as source:
            for batch in Examples(source, self._options.where, self._options.columns).batches():
                for example in self._new(batch):
                    file.write(orjson.dumps(example, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS))
                    self.counts["written"] += 1
                    if self.counts["written"] == most:
                        return

    def _new(self, batch: list[Example]) -> Iterator[Example]:
        """Those with something in them that was not there before, masked."""
        full = [example for example in batch if example["input"] or example["output"]]
        self.counts["empty"] += len(batch) - len(full)
        for example in _masked(full, self._masking):
            key = content_key([example.get(name) for name in ("input", "output", "context", "reference")])
            if key in self._seen:
                self.counts["duplicates"] += 1
                continue
            self._seen.add(key)
            yield example

    def summary(self) -> str:
        """What was done, in a line."""
        parts = [f"{self.counts['written']:,} rows were written to {self._options.output}"]
        parts += [f"{self.counts['duplicates']:,} duplicates were left out"] if self.counts["duplicates"] else []
        parts += [f"{self.counts['empty']:,} rows have neither input nor output"] if self.counts["empty"] else []
        found = ", ".join(f"{name} {count:,}" for name, count in sorted(self._masking.counts.items()))
        parts += [f"masked: {found}"] if found else []
        return "; ".join(parts) + "\n"


def _masked(examples: list[Example], masking: Masking) -> list[Example]:
    for name in _MASKED:
        column = masking.column(name, [example.get(name) for example in examples])
        for example, value in zip(examples, column, strict=True):
            if name in example:
                example[name] = value
    own = [example for example in examples if not example["trace_id"]]
    for example, value in zip(own, masking.column("id", [example["id"] for example in own]), strict=True):
        example["id"] = value
    for part in ("metadata", "scores"):
        for name in sorted({name for example in examples for name in example[part]}):
            holding = [example[part] for example in examples if name in example[part]]
            values: list[Any] = masking.column(name, [held[name] for held in holding])
            for held, value in zip(holding, values, strict=True):
                held[name] = value
    return examples


def _nothing(options: DatasetOptions, counts: Counter[str]) -> str:
    if counts["empty"]:
        return f"{options.source}: none of the {counts['empty']:,} rows that are selected has an input or output"
    return f"{options.source}: no row is selected" + (" by --where" if options.where else "")
