"""Verdicts as rows: the columns that `spanmill evaluate` writes, and what `spanmill gate` reads of any such table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from spanmill.offline.inputs import Opened, opened
from spanmill.offline.mistakes import Mistake
from spanmill.offline.statistics import Floats
from spanmill.schema.derived import EVALUATIONS

SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        *((name, EVALUATIONS.of.schema.field(column).type) for name, column in EVALUATIONS.columns.items()),
    ]
)
"""Of what `evaluate` writes: the columns of the table `evaluations`, and `id`, the judged row's own."""

SCORED: Final = "scored"
FAILED: Final = "failed"
SKIPPED: Final = "skipped"
NO_GROUP: Final = "(none)"


@dataclass(frozen=True)
class Verdicts:
    """Verdicts of one file, each row's last; arrays of one length."""

    path: Path
    name: npt.NDArray[np.object_]
    key: npt.NDArray[np.object_]
    """What was judged; None where it is not said, and rows can be paired with none."""
    score: Floats
    """0 to 1; NaN where there is none."""
    weight: Floats
    skipped: npt.NDArray[np.bool_]
    """Nothing was asked of the judge. A row that is not, and has no score, has failed."""
    template: npt.NDArray[np.object_]
    groups: dict[str, npt.NDArray[np.object_]]
    """By column asked for, its values as text."""

    def __len__(self) -> int:
        return len(self.name)

    @property
    def names(self) -> list[str]:
        """The evaluators there are, in order."""
        return sorted(set(self.name))

    def where(self, rows: npt.NDArray[np.bool_]) -> "Verdicts":
        """Some of them."""
        return Verdicts(
            self.path,
            self.name[rows],
            self.key[rows],
            self.score[rows],
            self.weight[rows],
            self.skipped[rows],
            self.template[rows],
            {column: values[rows] for column, values in self.groups.items()},
        )

    @property
    def scored(self) -> npt.NDArray[np.bool_]:
        """Those with a score."""
        return ~np.isnan(self.score)

    @property
    def failed(self) -> int:
        """How many were asked about, and have no score."""
        return int((~self.scored & ~self.skipped).sum())


def read_verdicts(path: Path, by: Sequence[str], where: str = "") -> Verdicts:
    """The verdicts of a file or a store. Raises `Mistake`."""
    with opened(path, "evaluations") as source:
        if "name" not in source.columns or "score" not in source.columns:
            raise Mistake(f"{path}: these are no verdicts: they lack the columns name and score. {_COMES_FROM}")
        rows = source.select(_columns(source, by), where)
    verdicts = _last_of_each(path, rows, by)
    outside = verdicts.where((verdicts.score < 0) | (verdicts.score > 1) | np.isinf(verdicts.score))
    if len(outside):
        raise Mistake(
            f"{path}: {outside.name[0]} has a score of {outside.score[0]:g}; expected 0 to 1. Leave it out with --where"
        )
    wrong = verdicts.where(~(np.isfinite(verdicts.weight) & (verdicts.weight > 0)))
    if len(wrong):
        raise Mistake(f"{path}: {wrong.name[0]} has a sample_weight of {wrong.weight[0]:g}; expected more than 0")
    return verdicts


_COMES_FROM = "Expected what `spanmill evaluate` writes, or what a parquet or duckdb exporter does"


def _columns(source: Opened, by: Sequence[str]) -> str:
    chosen = {
        "name": 'CAST("name" AS VARCHAR)',
        "id": source.optional("id", "VARCHAR"),
        "trace_id": source.optional("trace_id", "VARCHAR"),
        "span_id": source.optional("span_id", "VARCHAR"),
        "score": source.optional("score", "DOUBLE"),
        "weight": source.optional("sample_weight", "DOUBLE"),
        "outcome": source.optional("outcome", "VARCHAR"),
        "template": source.optional("template_hash", "VARCHAR"),
        **{f"by{index}": f"CAST({source.column(name)} AS VARCHAR)" for index, name in enumerate(by)},
    }
    return ", ".join(f'{sql} AS "{name}"' for name, sql in chosen.items())


def _last_of_each(path: Path, rows: pa.Table, by: Sequence[str]) -> Verdicts:
    """What was asked again, after it had failed, has two rows: the later one counts."""
    values: dict[str, list[Any]] = rows.to_pydict()
    name = [str(text) for text in values["name"]]
    keys = [
        row if row is not None else f"{trace}:{span or ''}" if trace is not None else None
        for row, trace, span in zip(values["id"], values["trace_id"], values["span_id"], strict=True)
    ]
    last = {(evaluator, key): index for index, (evaluator, key) in enumerate(zip(name, keys, strict=True)) if key}
    kept = np.array(
        [
            not key or last[evaluator, key] == index
            for index, (evaluator, key) in enumerate(zip(name, keys, strict=True))
        ],
        bool,
    )
    weights = [1.0 if weight is None else weight for weight in values["weight"]]
    outcomes = [str(outcome or "") for outcome in values["outcome"]]
    scores = [np.nan if score is None else score for score in values["score"]]
    return Verdicts(
        path,
        _objects(name),
        _objects(keys),
        np.array(scores, np.float64),
        np.array(weights, np.float64),
        np.array([outcome.startswith(SKIPPED) for outcome in outcomes], bool),
        _objects(values["template"]),
        {
            column: _objects([NO_GROUP if text is None else text for text in values[f"by{index}"]])
            for index, column in enumerate(by)
        },
    ).where(kept)


def _objects(values: Sequence[Any]) -> npt.NDArray[np.object_]:
    array = np.empty(len(values), object)
    array[:] = values
    return array
