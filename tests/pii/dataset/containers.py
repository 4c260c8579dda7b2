"""Records and formats that telemetry of LLM applications carries, with values in them: JSON, logs, SQL, CSV, code."""

import json
from collections.abc import Callable
from random import Random
from urllib.parse import quote

from tests.pii.dataset.labelled import Piece, Pieces, Value, rewritten
from tests.pii.dataset.negatives import hex_id, timestamp, uuid
from tests.pii.dataset.people import people
from tests.pii.dataset.words import AWS_SECRET_KEYS, KEYS

Field = tuple[str, Pieces]
"""A key, and a text with a value in it."""
Container = Callable[[Random, list[Field], str], Pieces]


def field(rng: Random, value: Value, around: Pieces) -> Field:
    """The value, with what is always around it, under a key that a program would give it."""
    secret = value.detector == "aws_key" and value.bare
    return rng.choice(AWS_SECRET_KEYS if secret else KEYS[value.detector]), around


def json_escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def ascii_escaped(text: str) -> str:
    return json.dumps(text)[1:-1]


def json_object(rng: Random, fields: list[Field], language: str) -> Pieces:
    pieces: list[Piece] = [f'{{"id": "{uuid(rng)}", "name": "{rng.choice(people(language).names)}"']
    for key, value in fields:
        pieces += [f', "{key}": "', *rewritten(value, json_escaped), '"']
    return (*pieces, f', "created_at": "{timestamp(rng)}", "version": {rng.randint(1, 9)}}}')


def json_list(rng: Random, fields: list[Field], _language: str) -> Pieces:
    """Without spaces, values deep within."""
    pieces: list[Piece] = [f'{{"items":[{{"n":{rng.randint(1, 10**9)}}}],"profile":{{']
    for index, (key, value) in enumerate(fields):
        pieces += [f'{"," if index else ""}"{key}":["', *rewritten(value, json_escaped), '"]']
    return (*pieces, f'}},"trace_id":"{hex_id(rng, 32)}"}}')


def chat_messages(rng: Random, text: Pieces) -> Pieces:
    """A conversation as it stands in `gen_ai.input.messages`."""
    write = json_escaped if rng.random() < 0.8 or not _is_ascii(text) else ascii_escaped
    before = '[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"'
    return (before, *rewritten(text, write), '"}]')


def tool_arguments(rng: Random, fields: list[Field], language: str) -> Pieces:
    """JSON in a string in JSON."""
    inner = rewritten(json_object(rng, fields, language), json_escaped)
    return (
        f'{{"type":"function","id":"call_{hex_id(rng, 24)}","function":{{"name":"lookup","arguments":"',
        *inner,
        '"}}',
    )


def log_line(rng: Random, fields: list[Field], language: str) -> Pieces:
    pieces: list[Piece] = [f"{timestamp(rng)} INFO [{rng.choice(people(language).user_names)}] request_id={uuid(rng)}"]
    quoted = rng.random() < 0.5
    for key, value in fields:
        mark = '"' if quoted or " " in _text(value) else ""
        pieces += [f" {key}={mark}", *rewritten(value, json_escaped), mark]
    return (*pieces, f" duration_ms={rng.random() * 1000:.3f} status={rng.choice((200, 404, 500))}")


def url_query(rng: Random, fields: list[Field], _language: str) -> Pieces:
    """Percent-encoded, as a browser does."""
    moment = rng.randint(10**12, 2 * 10**12)
    pieces: list[Piece] = [f"https://api.example.com/v{rng.randint(1, 3)}/users/{rng.randint(1, 10**8)}?ts={moment}"]
    for key, value in fields:
        name = key if key.isascii() else next(piece.detector for piece in value if not isinstance(piece, str))
        pieces += [f"&{quote(name)}=", *rewritten(value, lambda text: quote(text, safe="()!*'"))]
    return (*pieces, rng.choice(("", "#top", f"&page={rng.randint(1, 99)}")))


def sql(rng: Random, fields: list[Field], language: str) -> Pieces:
    def quoted(text: str) -> str:
        return text.replace("'", "''")

    columns = ", ".join(key.replace(".", "_") for key, _ in fields)
    name = quoted(rng.choice(people(language).names))
    pieces: list[Piece] = [f"INSERT INTO users (id, name, {columns}) VALUES ({rng.randint(1, 10**7)}, '{name}'"]
    if rng.random() < 0.4:
        pieces = [f"UPDATE users SET updated_at = '{timestamp(rng)}' WHERE active = 1"]
        for key, value in fields:
            pieces += [f" AND {key.replace('.', '_')} = '", *rewritten(value, quoted), "'"]
        return (*pieces, ";")
    for _, value in fields:
        pieces += [", '", *rewritten(value, quoted), "'"]
    return (*pieces, ");")


def csv(rng: Random, fields: list[Field], language: str) -> Pieces:
    """A head and a few rows; the values stand in the last."""
    names = people(language).names
    lines = [",".join(["id", "name", *(key for key, _ in fields), "amount"])]
    lines += [
        f"{rng.randint(1, 10**6)},{rng.choice(names)},{',' * len(fields)}{rng.random() * 1000:.2f}"
        for _ in range(rng.randint(0, 2))
    ]
    pieces: list[Piece] = ["\n".join(lines), f"\n{rng.randint(1, 10**6)},{rng.choice(names)}"]
    for _, value in fields:
        pieces += [",", *value]
    return (*pieces, f",{rng.random() * 1000:.2f}\n")


def markdown_table(rng: Random, fields: list[Field], language: str) -> Pieces:
    columns = ["name", *(key for key, _ in fields)]
    pieces: list[Piece] = [
        f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n| {rng.choice(people(language).names)} |"
    ]
    for _, value in fields:
        pieces += [" ", *value, " |"]
    return tuple(pieces)


def code(rng: Random, fields: list[Field], language: str) -> Pieces:
    mark = rng.choice(('"', "'"))
    form = rng.choice(
        (
            "{key} = {mark}",
            "const {key} = {mark}",
            "self.{key}={mark}",
            "export {key}={mark}",
            "    {key}: str = {mark}",
        )
    )
    pieces: list[Piece] = [rng.choice(("```python\nimport os\n", "def test_user():\n", "// set up\n", "#!/bin/sh\n"))]
    for key, value in fields:
        pieces += [form.format(key=key.replace(".", "_"), mark=mark), *rewritten(value, json_escaped), f"{mark}\n"]
    return (
        *pieces,
        f"assert load('{hex_id(rng, 8)}') == {rng.randint(0, 99)}  # {rng.choice(people(language).sentences)}\n",
    )


def yaml(rng: Random, fields: list[Field], language: str) -> Pieces:
    pieces: list[Piece] = [f"user:\n  name: {rng.choice(people(language).names)}\n  created: {timestamp(rng)}\n"]
    for key, value in fields:
        pieces += [f"  {key}: ", *rewritten(value, json_escaped), "\n"]
    return (*pieces, f"replicas: {rng.randint(1, 9)}\n")


def stack_trace(rng: Random, fields: list[Field], _language: str) -> Pieces:
    where = rng.choice(("app/users.py", "/srv/app/billing/models.py", "site-packages/httpx/_client.py"))
    head = (
        f'Traceback (most recent call last):\n  File "{where}", line {rng.randint(1, 2000)}, in save\n'
        f"    self.store.put(record)\nValueError: invalid record {hex_id(rng, 16)} at 0x{hex_id(rng, 12)}:"
    )
    pieces: list[Piece] = [head]
    for key, value in fields:
        pieces += [f" {key}='", *rewritten(value, json_escaped), "'"]
    return tuple(pieces)


def html(rng: Random, fields: list[Field], language: str) -> Pieces:
    pieces: list[Piece] = [f"<user id='{rng.randint(1, 10**6)}'><name>{rng.choice(people(language).names)}</name>"]
    for key, value in fields:
        pieces += [f"<{key}>", *value, f"</{key}>"]
    return (*pieces, "</user>")


CONTAINERS: tuple[Container, ...] = (
    json_object,
    json_list,
    tool_arguments,
    log_line,
    url_query,
    sql,
    csv,
    markdown_table,
    code,
    yaml,
    stack_trace,
    html,
)
FOR_SEVERAL_LINES: tuple[Container, ...] = (json_object, json_list, tool_arguments, log_line, code, yaml, html)


def _text(pieces: Pieces) -> str:
    return "".join(piece if isinstance(piece, str) else piece.text for piece in pieces)


def _is_ascii(pieces: Pieces) -> bool:
    """Whether the values are; what is around them may be escaped."""
    return all(isinstance(piece, str) or piece.text.isascii() for piece in pieces)
