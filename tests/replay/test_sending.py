"""Where pieces go, what becomes of them, and what is said about it."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
import yaml
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from spanmill.exit_codes import ExitCode
from spanmill.generate.collector import free_ports
from spanmill.generate.options import Protocol
from spanmill.replay import Configured, Selection, Target
from spanmill.replay.moments import moment
from spanmill.replay.options import ReplayError
from tests.data import START, batch_of, spans, traces
from tests.exporters.peers import Received, grpc_peer, http_peer
from tests.replay.making import GIVEN_UP, Replays, journal, letters, parquet_store, received_ids

MINIMAL: dict[str, Any] = {
    "receivers": {"otlp": {"protocols": {"grpc": {}}}},
    "service": {"pipelines": {"traces": {"receivers": ["otlp"], "exporters": []}}},
}


def configuration(directory: Path, exporters: dict[str, Any], **more: Any) -> str:
    """A file with these exporters, all in one pipeline."""
    body = {**MINIMAL, "exporters": exporters, **more}
    body["service"] = {
        "pipelines": {"traces": {"receivers": ["otlp"], "exporters": list(exporters)}},
        "extensions": list(more.get("extensions", ())),
    }
    path = directory / "config.yaml"
    path.write_text(yaml.safe_dump(body))
    return str(path)


@pytest.mark.parametrize("protocol", [None, Protocol.HTTP_PROTOBUF, Protocol.HTTP_JSON])
async def test_http_is_spoken_to_a_url(protocol: Protocol | None, tmp_path: Path, replay: Replays) -> None:
    source = letters(tmp_path, spans(2))
    async with http_peer() as peer:
        endpoint = peer.endpoint if protocol is None else peer.endpoint.removeprefix("http://")
        done = await replay(source, target=Target(endpoint, protocol, ("x-tenant=a=b",)))
    [request] = peer.received
    assert (done.code, peer.paths, request.headers["x-tenant"]) == (ExitCode.OK, ["/v1/traces"], "a=b")
    assert request.headers["Content-Type"].endswith("json" if protocol is Protocol.HTTP_JSON else "x-protobuf")


async def test_tls_is_spoken_with_the_certificates_given(tmp_path: Path, replay: Replays) -> None:
    source, authority = letters(tmp_path, spans(2)), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with http_peer(context) as peer:
        done = await replay(source, target=Target(peer.endpoint, ca_file=tmp_path / "ca.pem"))
        assert (done.code, len(peer.received)) == (ExitCode.OK, 1)
        done = await replay(source, target=Target(peer.endpoint), give_up_after="0.1s")
        assert (done.code, len(peer.received)) == (ExitCode.UNDELIVERED, 1)
        assert "certificate" in done.err.lower()


async def test_an_endpoint_that_is_down_is_one_sentence(tmp_path: Path, replay: Replays) -> None:
    source = letters(tmp_path, spans(2), spans(2))
    target = Target(f"localhost:{free_ports(1)[0]}")
    done = await replay(source, target=target, give_up_after="0.1s", delete=True)
    assert (done.code, done.out) == (ExitCode.UNDELIVERED, "0 items were sent: 0 spans. The rest was not tried.\n")
    assert "not delivered; given up after 0.1 s: UNAVAILABLE" in done.err
    assert done.err.count("\n") == 1
    assert len(list(source.rglob("*.arrow"))) == 2


async def test_what_is_busy_is_tried_again_until_it_answers(tmp_path: Path, replay: Replays) -> None:
    source = letters(tmp_path, spans(1, 1), spans(1, 2))
    refusals = iter([True, False, False])

    async def answer(_received: Received, context: Any) -> bytes:
        if next(refusals):
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        return b""

    async with grpc_peer() as peer:
        peer.answer = answer
        done = await replay(source, target=Target(peer.endpoint))
    assert (done.code, received_ids(peer.received)) == (ExitCode.OK, [1, 1, 2])


async def test_what_is_refused_is_named_and_its_letter_kept(tmp_path: Path, replay: Replays) -> None:
    source = letters(tmp_path, spans(1, 1), spans(2, 2), spans(1, 4))

    async def answer(received: Received, context: Any) -> bytes:
        if received_ids([received]) == [1]:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no")
        response = ExportTraceServiceResponse()
        if received_ids([received]) == [2, 3]:
            response.partial_success.rejected_spans = 1
            response.partial_success.error_message = "one of them"
        return response.SerializeToString()

    async with grpc_peer() as peer:
        peer.answer = answer
        done = await replay(source, target=Target(peer.endpoint), delete=True)
    first, second = sorted(source.rglob("*.arrow"))
    assert done.code == ExitCode.UNDELIVERED
    assert done.err.splitlines() == [
        f"{first}: 1 of 1 items were refused: INVALID_ARGUMENT: no",
        f"{second}: 1 of 2 items were refused: one of them",
    ]
    assert done.out == "2 items were sent: 2 spans. 2 were refused. 1 dead letters were delivered and deleted.\n"


async def test_a_configured_exporter_is_used_with_its_authenticator(tmp_path: Path, replay: Replays) -> None:
    source = await journal(tmp_path, 1, 2)
    async with http_peer() as peer:
        exporters = {
            "otlp_http/vendor": {"endpoint": peer.endpoint, "auth": {"authenticator": "bearertokenauth"}},
            "debug": None,
        }
        config = configuration(tmp_path, exporters, extensions={"bearertokenauth": {"token": "secret"}})
        done = await replay(source, configured=Configured([config], "otlp_http/vendor"))
    assert (done.code, received_ids(peer.received)) == (ExitCode.OK, [1, 2])
    assert peer.received[0].headers["Authorization"] == "Bearer secret"


async def test_dead_letters_find_their_exporters_by_themselves(tmp_path: Path, replay: Replays) -> None:
    source = letters(tmp_path, spans(1, 1), exporter="otlp_http/vendor")
    letters(tmp_path, spans(1, 2), exporter="otlp_grpc")
    async with http_peer() as vendor, grpc_peer() as other:
        exporters = {
            "otlp_http/vendor": {"endpoint": vendor.endpoint},
            "otlp_grpc": {"endpoint": other.endpoint, "tls": {"insecure": True}},
        }
        config = configuration(tmp_path, exporters)
        done = await replay(source, configured=Configured([config]), delete=True)
    assert (done.code, received_ids(vendor.received), received_ids(other.received)) == (ExitCode.OK, [1], [2])
    assert list(source.rglob("*.arrow")) == []


async def test_rows_are_put_into_a_store_again(tmp_path: Path, replay: Replays) -> None:
    source = letters(tmp_path, spans(3))
    config = configuration(tmp_path, {"parquet": {"directory": str(tmp_path / "anew")}})
    for _ in range(2):
        assert (await replay(source, configured=Configured([config], "parquet"))).code == ExitCode.OK
    done = await replay(tmp_path / "anew", dry_run=True)
    assert done.out == "6 items would be sent: 6 spans.\n"


async def test_times_select_records_letters_and_rows(tmp_path: Path, replay: Replays) -> None:
    source = letters(tmp_path, spans(1), spans(1), spans(1))
    done = await replay(source, dry_run=True, since="2025-10-09T09:00:00Z", until="2025-10-09T10:30:00Z")
    assert moment("2025-10-09T09:00:00Z", "since", 0) == GIVEN_UP + 400
    assert done.out == "1 items would be sent: 1 spans.\n"
    request = traces(3)
    for number, span in enumerate(request.resource_spans[0].scope_spans[0].spans):
        span.start_time_unix_nano = START + number * 10**9
    rows = parquet_store(tmp_path, batch_of(request))
    inside = Selection(since=START / 1e9 + 1, until=START / 1e9 + 2)
    assert (await replay(rows, dry_run=True, selection=inside)).out == "1 items would be sent: 1 spans.\n"
    async with grpc_peer() as peer:
        await replay(rows, target=Target(peer.endpoint), selection=inside)
    assert received_ids(peer.received) == [2]
    done = await replay(await journal(tmp_path, 1, 2), dry_run=True, since="1h")
    assert done.out == "2 items would be sent: 2 spans.\n"


async def test_a_condition_selects_items(tmp_path: Path, replay: Replays) -> None:
    source = parquet_store(tmp_path, spans(5))
    where = Selection(where="attributes['gen_ai.usage.input_tokens']::int > 3")
    assert (await replay(source, dry_run=True, selection=where)).out == "2 items would be sent: 2 spans.\n"
    async with grpc_peer() as peer:
        await replay(source, target=Target(peer.endpoint), selection=where)
    assert received_ids(peer.received) == [4, 5]


async def test_the_rate_is_kept_item_by_item(tmp_path: Path, replay: Replays) -> None:
    source, loop = letters(tmp_path, spans(12)), asyncio.get_running_loop()
    async with http_peer() as peer:
        began = loop.time()
        await replay(source, target=Target(peer.endpoint), rate=8)
        assert loop.time() - began >= 0.5
    assert [len(request.message.resource_spans[0].scope_spans[0].spans) for request in peer.received] == [8, 4]


async def test_an_interrupted_export_keeps_account_of_what_was_sent(tmp_path: Path, replay: Replays) -> None:
    """A server that answers once, and then never within the time."""
    source, count = letters(tmp_path, spans(1, 1), spans(1, 2), spans(1, 3)), 0

    async def answer(_received: Received) -> web.StreamResponse:
        nonlocal count
        count += 1
        return web.Response(status=200 if count == 1 else 503)

    async with http_peer() as peer:
        peer.answer = answer
        done = await replay(source, target=Target(peer.endpoint), give_up_after="0.1s", delete=True)
    assert done.out == (
        "1 items were sent: 1 spans. 1 dead letters were delivered and deleted. The rest was not tried.\n"
    )
    assert (done.code, len(list(source.rglob("*.arrow")))) == (ExitCode.UNDELIVERED, 2)


MISUSES: dict[str, tuple[dict[str, Any], str]] = {
    "no destination": ({}, "nothing says where to; expected --to, or --config, or --dry-run"),
    "two": (
        {"target": Target("a:1"), "configured": Configured(["c"])},
        "--to and --config both say where to; expected one of them",
    ),
    "headers for nobody": (
        {"target": Target(headers=("a=b",))},
        "--protocol, --header, --insecure and the certificates go with --to, which is missing",
    ),
    "an exporter of nothing": (
        {"configured": Configured((), "debug")},
        "--exporter names an exporter of a configuration, which is missing: --config",
    ),
    "no port": ({"target": Target("localhost")}, "--to localhost: the endpoint has no port; expected host:port"),
    "no header": ({"target": Target("a:1", headers=("secret",))}, "--header: expected name=value"),
    "no time": (
        {"dry_run": True, "since": "yesterday"},
        "--since: not a time; expected a time such as 2026-01-31T12:00:00Z, or how long ago, such as 90m or 2h; found",
    ),
    "no duration": ({"dry_run": True, "give_up_after": "5"}, "--give-up-after: not a duration; expected"),
    "numbers of no journal": ({"dry_run": True, "selection": Selection(first=1)}, "--first and --last number"),
    "deleting by condition": (
        {"dry_run": True, "delete": True, "selection": Selection(where="true")},
        "--delete removes whole dead letters; it cannot be used with --where",
    ),
    "no condition": (
        {"dry_run": True, "selection": Selection(where="nmae = 'x'")},
        '--where: spans has no column nmae. Did you mean "name"?',
    ),
}


@pytest.mark.parametrize(("options", "words"), MISUSES.values(), ids=MISUSES)
async def test_what_makes_no_sense_is_said_before_anything_is_sent(
    options: dict[str, Any], words: str, tmp_path: Path, replay: Replays
) -> None:
    done = await replay(letters(tmp_path, spans(1)), **options)
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert done.err.startswith(words)
    assert done.err.count("\n") == 1


async def test_only_dead_letters_are_deleted(tmp_path: Path, replay: Replays) -> None:
    done = await replay(parquet_store(tmp_path, spans(1)), target=Target("localhost:1"), delete=True)
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert done.err == "--delete removes dead letters, and nothing else; not every source holds them\n"


async def test_an_exporter_that_is_not_configured_is_answered_with_those_that_are(
    tmp_path: Path, replay: Replays
) -> None:
    config = configuration(tmp_path, {"debug": None, "otlp_http": {"endpoint": "http://localhost:1"}})
    done = await replay(letters(tmp_path, spans(1)), configured=Configured([config]))
    expected = "the configuration has no exporter otlp_http/vendor that sends; expected one of debug, otlp_http\n"
    assert (done.code, done.err) == (ExitCode.USAGE, expected)
    done = await replay(parquet_store(tmp_path, spans(1)), configured=Configured([config]))
    assert done.err == "--exporter: missing; only dead letters know which exporter they were for\n"


def test_a_moment_is_a_time_or_how_long_ago() -> None:
    assert moment("2h", "since", 10_000) == 2_800
    assert moment("1970-01-01T01:00:00+01:00", "since", 0) == 0
    assert moment("1970-01-02", "since", 0) == 86_400
    with pytest.raises(ReplayError, match="--until: not a time"):
        moment("-3h", "until", 0)
