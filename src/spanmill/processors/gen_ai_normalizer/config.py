"""Configuration of the gen_ai_normalizer processor."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import Field

from spanmill.config.base import Misfit, Model
from spanmill.config.problems import closest
from spanmill.config.tree import Path
from spanmill.config.values import Flag
from spanmill.signal import Signal


class GenAiNormalizerProcessorConfig(Model):
    """Fills the columns about LLM calls (`operation`, `request_model`, `input_tokens`, `input`, ...) of spans and log
    records from the attributes of every SDK's convention. Put it before `llm_cost`. Not in the Collector."""

    dialects: tuple[str, ...] = ()
    """Conventions to read; the manual lists them. Empty: all. Rows of others are left as they are."""
    custom_mappings: Mapping[str, Any] = Field(default_factory=dict)
    """By column, attributes of your own that are asked before those of any convention:
    `feature: [app.feature, {resource: app.name}]`. The manual says what a source may be."""
    remove_originals: Flag = False
    """Drop attributes whose value is in a column now. Storage gets smaller; what leaves as OTLP lacks them, unless
    `write_attributes` is on."""
    write_attributes: Flag = False
    """Write the columns as OpenTelemetry's `gen_ai.*` attributes (1.41) too, for whoever receives OTLP from here."""

    def misfits(self, signal: Signal) -> Iterator[Misfit]:
        from spanmill.llm.dialect import COMMON, load_dialects

        known = [name for name in load_dialects() if name != COMMON]
        for index, name in enumerate(self.dialects):
            if name not in known:
                yield _unknown(("dialects", index), f"no dialect {name!r}", name, known)
        yield from _mapping_misfits(self.custom_mappings)


def _unknown(path: Path, problem: str, name: str, known: Iterable[str]) -> Misfit:
    close = closest(name, known)
    return Misfit(path, problem, "one of " + ", ".join(known), f"did you mean {close}?" if close else "")


def _mapping_misfits(mappings: Mapping[str, Any]) -> Iterator[Misfit]:
    from pydantic import TypeAdapter, ValidationError

    from spanmill.llm.dialect import COLUMN_TYPES, CONTENT_COLUMNS, Source

    columns = [name for name in COLUMN_TYPES if name not in CONTENT_COLUMNS]
    adapter = TypeAdapter(tuple[Source, ...])
    for column, sources in mappings.items():
        path = ("custom_mappings", column)
        if column not in columns:
            yield _unknown(path, f"no column {column!r} can be mapped", column, columns)
            continue
        try:
            adapter.validate_python(sources)
        except ValidationError as error:
            for problem in error.errors():
                yield Misfit((*path, *problem["loc"]), problem["msg"], "a list of attributes or sources")
