"""Every kind of bad input, one after the other, over real sockets: each is answered, and the next good one served."""

import gzip
from typing import Any

import grpc
import pytest
import zstandard

from spanmill.otlp.json import to_json
from spanmill.signal import Signal
from tests.hostile.mutations import mutations
from tests.otlp_samples import traces
from tests.receivers.otlp.receiving import JSON, PATHS, PROTOBUF, running

_ANSWERS = {200, 400}


def _bodies(signal: Signal, count: int) -> list[tuple[bytes, dict[str, str]]]:
    """Mutated requests, as they are, packed, packed and cut, and as JSON."""
    zstd = zstandard.ZstdCompressor()
    bodies: list[tuple[bytes, dict[str, str]]] = []
    for payload in mutations(signal, count, seed=3):
        packed = gzip.compress(payload)
        bodies += [
            (payload, PROTOBUF),
            (packed, PROTOBUF | {"Content_Encoding": "gzip"}),
            (packed[:-3], PROTOBUF | {"Content_Encoding": "gzip"}),
            (zstd.compress(payload)[:-1], PROTOBUF | {"Content_Encoding": "zstd"}),
            (payload, PROTOBUF | {"Content_Encoding": "deflate"}),
            (payload, JSON),
        ]
    return bodies


@pytest.mark.parametrize("signal", Signal)
async def test_http_answers_every_mutated_request_and_goes_on(signal: Signal) -> None:
    async with running(http={}) as it:
        for body, headers in _bodies(signal, 25):
            assert (await it.post(PATHS[signal], body, **headers)).status in _ANSWERS
        assert (await it.post("/v1/traces", traces(), **PROTOBUF)).status == 200
        assert (await it.post("/v1/traces", to_json(Signal.TRACES, traces()), **JSON)).status == 200
        assert it.bad("internal") == 0
        assert it.host.admission.in_flight_bytes == 0


@pytest.mark.parametrize("signal", Signal)
async def test_grpc_answers_every_mutated_request_and_goes_on(signal: Signal) -> None:
    async with running(grpc={}) as it:
        codes: set[Any] = set()
        for payload in mutations(signal, 50, seed=4):
            try:
                await it.export(signal, payload)
            except grpc.aio.AioRpcError as error:
                codes.add(error.code())
        assert codes <= {grpc.StatusCode.INVALID_ARGUMENT}
        assert await it.export(Signal.TRACES, traces()) == b""
        assert it.bad("internal") == 0
        assert it.host.admission.in_flight_bytes == 0
