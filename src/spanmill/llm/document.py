"""The manual's page about dialects, written from the mapping files."""

from collections.abc import Sequence

from spanmill.llm.dialect import COMMON, ContentSource, Dialect, Source, load_canonical, load_dialects
from spanmill.schema.llm import LLM_COLUMNS

_HEAD = """# Dialects

What an LLM call looks like on the wire depends on who wrote the instrumentation. The
[`gen_ai_normalizer`](configuration.md) processor reads all of these and fills the same columns; this page is generated
from its mapping files, `src/spanmill/llm/dialects/*.yaml`, which are the only place that knows attribute names.

A row's dialect is told by the name of its instrumentation scope, or else by which attributes it has; column `dialect`
says what was found. Then each column asks its sources in the order given here, and the first that has a value wins.
Attributes of your own are asked before all of them:

```yaml
processors:
  gen_ai_normalizer:
    custom_mappings:
      feature: [app.feature, {resource: app.name}]      # the first that has a value
      user_id: [{attribute: app.context, path: user.id}]   # inside JSON, a map or an array
      time_to_first_token_ms: [{attribute: app.ttft_seconds, times: 1000}]
      tags: [{attribute: app.tags, split: ","}]
      operation: [{attribute: app.kind, values: {answer: chat, lookup: retrieval}}]
```

A value that cannot be read as the type of its column (`abc` for a count) leaves the column null and is counted in
`spanmill_gen_ai_normalizer_unreadable_values`. `remove_originals` drops the attributes that filled a column of the row;
those of which only a part was read (`path`, `match`), and attributes of events and resources, stay.

Input tokens include those read from and written to the provider's cache, output tokens include reasoning, whatever the
sender's convention: where a total tells that they were separate, they are added, and also where more was cached than
there was input. Leading system messages are in `system_instructions`, not in `input`. Binary content (base64 images,
audio) is replaced by its media type, its size in bytes and its SHA-256.
"""

_LEGEND = """
In the tables: `attribute` is an attribute of the row; `event/attribute` one of the first span event of that name;
`resource:` one of the resource; `scope:` and `name:` regular expressions on the scope's and the row's name; `x[path]` a
value inside an array, map or JSON text; `x ~ y` what the regular expression `y` finds in it; `prefix*` all attributes
that begin so. "(tools only)" and the like: only on rows with that operation.
"""


def manual() -> str:
    """The whole page, Markdown."""
    dialects = load_dialects()
    own = [dialect for dialect in dialects.values() if dialect.dialect != COMMON]
    parts = [_HEAD, _overview(own), _LEGEND, *map(_dialect, own), _dialect(dialects[COMMON]), _values()]
    return "\n".join(parts)


def _overview(dialects: Sequence[Dialect]) -> str:
    """Which dialect fills which column: itself (x), by what it inherits (i), by what is common to all rows (c)."""
    known = load_dialects()
    lines = [
        "## Dialect by field",
        "",
        "x: from its own attributes; i: from those of dialects it inherits; c: from attributes common to all rows.",
        "",
        _row(["column", *(f"`{dialect.dialect}`" for dialect in dialects)]),
        _row(["---"] * (len(dialects) + 1)),
    ]
    for column in LLM_COLUMNS:
        marks = [_mark(column.name, dialect, known) for dialect in dialects]
        if any(marks):
            lines.append(_row([f"`{column.name}`", *marks]))
    return "\n".join(lines)


def _mark(column: str, dialect: Dialect, known: dict[str, Dialect]) -> str:
    if column in dialect.columns or column in dialect.content:
        return "x"
    if any(column in known[name].columns or column in known[name].content for name in dialect.inherits):
        return "i"
    return "c" if column in known[COMMON].columns else ""


def _dialect(dialect: Dialect) -> str:
    lines = [
        f"## {dialect.title}",
        "",
        f"`{dialect.dialect}`, mapping version {dialect.version}: {dialect.covers}.",
        "",
    ]
    if dialect.detect.scopes:
        lines += [f"Scopes: {_codes(dialect.detect.scopes)}.", ""]
    if dialect.detect.attributes:
        lines += [f"Or attributes: {_codes(dialect.detect.attributes)}.", ""]
    if dialect.inherits:
        lines += [f"Asked after its own: {_codes(dialect.inherits)}.", ""]
    lines += [_row(["column", "from"]), _row(["---", "---"])]
    for column in LLM_COLUMNS:
        sources = [_source(source) for source in dialect.columns.get(column.name, ())]
        sources += [_content(source) for source in dialect.content.get(column.name, ())]
        if sources:
            lines.append(_row([f"`{column.name}`", ", ".join(sources)]))
    return "\n".join([*lines, ""])


def _source(source: Source) -> str:
    if source.event is not None:
        place = f"{source.event}/{source.attribute}" if source.attribute else f"{source.event}"
    elif source.resource is not None:
        place = f"resource: {source.resource}"
    elif source.scope is not None or source.name is not None:
        place = f"scope: {source.scope}" if source.scope is not None else f"name: {source.name}"
    else:
        place = source.attribute or ""
    if source.path:
        place += "[" + " or ".join(source.path) + "]"
    if source.sum:
        place += "[" + " + ".join(source.sum) + "]"
    if source.match is not None:
        place += f" ~ {source.match}"
    notes = [f"times {source.times:g}"] if source.times is not None else []
    notes += ["a time"] if source.as_ is not None or (source.event and not source.attribute) else []
    notes += [f"{value} is {'nothing' if meaning == '' else meaning}" for value, meaning in source.values.items()]
    notes += [f"anything else is {source.otherwise}"] if source.otherwise not in (None, "keep") else []
    return _noted(place, notes, source.when.operation if source.when else ())


def _content(source: ContentSource) -> str:
    if source.events:
        return _noted("", [f"events {_codes(source.events)}"], source.when.operation if source.when else ())
    place = source.attribute if source.attribute is not None else f"{source.prefix}*"
    return _noted(place, [], source.when.operation if source.when else ())


def _noted(place: str, notes: Sequence[str], operations: Sequence[str]) -> str:
    notes = [*notes, *([f"{' and '.join(operations)} only"] if operations else [])]
    code = f"`{place}`".replace("|", "\\|") if place else ""
    return " ".join(part for part in (code, f"({'; '.join(notes)})" if notes else "") if part).replace("((", "(")


def _values() -> str:
    lines = ["## Values", "", "The same in every dialect; compared without regard to case.", ""]
    canonical = load_canonical()
    for column, values in canonical.values.items():
        rest = "Anything else means nothing." if column in canonical.closed else "Anything else stays as it was sent."
        lines += [f"### `{column}`", "", rest, "", _row(["value", "also written"]), _row(["---", "---"])]
        lines += [_row([f"`{value}`", _codes(others)]) for value, others in values.items()]
        lines.append("")
    return "\n".join(lines)


def _codes(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
