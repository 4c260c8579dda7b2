"""One HTTP request, from its header to its answer (OTLP specification, "OTLP/HTTP")."""

import asyncio
import gzip
import re
from functools import lru_cache
from itertools import chain

from aiohttp import hdrs, web
from google.rpc import code_pb2 as code

from spanmill.admission import Held
from spanmill.errors import Rejected
from spanmill.otlp import responses
from spanmill.otlp.responses import Encoding
from spanmill.receivers.otlp import answers, compression
from spanmill.receivers.otlp.answers import Refusal
from spanmill.receivers.otlp.authentication import SenderCheck
from spanmill.receivers.otlp.config import HttpListener
from spanmill.receivers.otlp.cors import CorsPolicy
from spanmill.receivers.otlp.feedback.service import FeedbackService
from spanmill.receivers.otlp.http_body import BodyLimits, Disconnected, cover, decompress, read_body
from spanmill.receivers.otlp.http_connection import header_too_large
from spanmill.receivers.otlp.http_services import OtlpService, Service, Submission
from spanmill.receivers.otlp.reception import Reception
from spanmill.signal import Signal

_PARSED_WEIGHT = 2
"""Parsed JSON takes ten to twenty times its bytes; see `weight.DECODED_PER_BYTE`."""
_WORTH_PACKING_BYTES = 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class HttpRequests:
    """Handles the requests of one listener."""

    def __init__(self, config: HttpListener, reception: Reception, check: SenderCheck) -> None:
        self._config = config
        self._reception = reception
        self._check = check
        self._services: dict[str, Service] = {
            config.traces_url_path: OtlpService(Signal.TRACES, config.max_decoded_items),
            config.metrics_url_path: OtlpService(Signal.METRICS, config.max_decoded_items),
            config.logs_url_path: OtlpService(Signal.LOGS, config.max_decoded_items),
            config.feedback_url_path: FeedbackService(),
        }
        self._limits = BodyLimits(config.max_request_body_size, config.read_timeout, config.min_rate)
        allowed = {compression.known(name) for name in config.compression_algorithms}
        self._algorithms = frozenset(name for name in allowed if name is not None)
        self._accepted = ", ".join(name for name in config.compression_algorithms if name) or "identity"
        self._cors = CorsPolicy(config.cors) if config.cors and config.cors.allowed_origins else None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; whatever happens, the answer is one that OTLP knows."""
        encoding = encoding_of(request.headers.get(hdrs.CONTENT_TYPE, ""))
        try:
            if request.method == hdrs.METH_OPTIONS and self._cors is not None:
                return self._preflight(request, self._cors)
            answer = await self._take(request, encoding)
        except Disconnected:
            self._reception.count_reason("disconnected")
            return web.Response(status=400)  # to nobody
        except Exception as error:  # noqa: BLE001 - whatever it was, the sender gets an answer
            # In no variable: the refusal may be the error itself, which would hold this frame and the frame it, and
            # with them the body, until garbage is collected.
            return self._refuse(request, self._reception.refusal(error, _address(request)), encoding or Encoding.JSON)
        assert encoding is not None
        return self._answer(request, 200, answer, encoding)

    async def _take(self, request: web.BaseRequest, encoding: Encoding | None) -> bytes:
        """The body of the answer. Raises `Refusal` or `Disconnected`."""
        self._check_header_size(request)
        name = await self._check.authenticate(lambda header: request.headers.getall(header, []))
        service = self._route(request)
        if encoding not in service.encodings:
            found = request.headers.get(hdrs.CONTENT_TYPE)
            message = f"the content type is {found or 'missing'}; expected {' or '.join(service.encodings)}"
            raise Refusal(415, code.INVALID_ARGUMENT, "content_type", message)
        algorithm = self._algorithm(request)
        sender = self._check.sender(name, _address(request))
        with self._reception.admission.hold(sender.name) as held:
            await self._continue(request)
            body = await read_body(request, self._limits, held)
            if algorithm:
                body = await decompress(algorithm, body, self._limits, held)
            read = await self._read(service, body, encoding, held)
            outcome = await self._reception.take(service.signal, read.payload, sender, held, read.sent_as)
            return read.answer(outcome)

    def _check_header_size(self, request: web.BaseRequest) -> None:
        size = sum(map(len, chain.from_iterable(request.raw_headers)))
        if size > self._config.max_header_bytes:
            raise header_too_large(self._config.max_header_bytes)

    def _route(self, request: web.BaseRequest) -> Service:
        target = request.raw_path if request.raw_path[:1] == "/" else request.rel_url.raw_path
        path = target.partition("?")[0]  # what follows may be a credential that somebody put there
        service = self._services.get(path)
        if service is None:
            message = f"nothing is served at {path[:200]}; OTLP and feedback are at {', '.join(self._services)}"
            raise Refusal(404, code.UNIMPLEMENTED, "path", message)
        if request.method != hdrs.METH_POST:
            message = f"the method is {request.method}; expected POST"
            raise Refusal(405, code.UNIMPLEMENTED, "method", message, headers={hdrs.ALLOW: hdrs.METH_POST})
        self._reception.check_served(service.signal, service.premise)
        return service

    def _algorithm(self, request: web.BaseRequest) -> str:
        named = request.headers.get(hdrs.CONTENT_ENCODING, "")
        algorithm = compression.known(named)
        if algorithm is None or algorithm not in self._algorithms:
            message = f"the content encoding is {named or 'none'}; accepted are {self._accepted}"
            raise Refusal(
                415, code.INVALID_ARGUMENT, "content_encoding", message, headers={hdrs.ACCEPT_ENCODING: self._accepted}
            )
        return algorithm

    async def _continue(self, request: web.BaseRequest) -> None:
        """A sender that asks first is told to go on, or what is wrong, before it sends its body."""
        expected = request.headers.get(hdrs.EXPECT)
        if expected is None:
            return
        if expected.lower() != "100-continue":
            raise Refusal(
                417, code.INVALID_ARGUMENT, "malformed_http", f"unknown expectation {expected[:100]}", close=True
            )
        if (request.content_length or 0) > self._limits.max_bytes:
            raise answers.too_large(f"the body is larger than {self._limits.max_bytes} bytes", close=True)
        await request.writer.write(_CONTINUE)
        # What was written so far is not the answer.
        request.writer.output_size = 0

    async def _read(self, service: Service, body: bytes, encoding: Encoding, held: Held) -> Submission:
        if encoding is Encoding.JSON:
            cover(held, _PARSED_WEIGHT * len(body))
        try:
            if encoding is Encoding.PROTOBUF or len(body) <= service.inline_json_bytes:
                return service.read(body, encoding)
            return await asyncio.to_thread(service.read, body, encoding)
        except Rejected as error:
            raise answers.invalid(error) from None

    def _preflight(self, request: web.BaseRequest, cors: CorsPolicy) -> web.Response:
        headers = cors.preflight_headers(request.headers)
        if headers is None:
            message = "this origin, method or header is not allowed; see `cors` of the receiver"
            raise Refusal(403, code.PERMISSION_DENIED, "cors", message)
        return web.Response(status=204, headers=headers | self._config.response_headers)

    def _refuse(self, request: web.BaseRequest, refusal: Refusal, encoding: Encoding) -> web.Response:
        response = self._answer(request, refusal.http_status, refusal.body(encoding), encoding)
        response.headers.update(refusal.headers)
        if refusal.retry_after is not None:
            response.headers[hdrs.RETRY_AFTER] = responses.retry_after_header(refusal.retry_after)
        if refusal.close:
            response.force_close()
        return response

    def _answer(self, request: web.BaseRequest, status: int, body: bytes, encoding: Encoding) -> web.Response:
        headers = {hdrs.CONTENT_TYPE: encoding.value, **self._config.response_headers}
        if self._cors is not None:
            headers.update(self._cors.response_headers(request.headers))
        if len(body) > _WORTH_PACKING_BYTES and accepts_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, "")):
            headers[hdrs.CONTENT_ENCODING] = "gzip"
            body = gzip.compress(body, 1)
        response = web.Response(status=status, body=body, headers=headers)
        if not self._config.keep_alives_enabled:
            response.force_close()
        return response


def _address(request: web.BaseRequest) -> str:
    return request.remote or "unix"


@lru_cache(maxsize=256)
def encoding_of(content_type: str) -> Encoding | None:
    """The encoding that a `Content-Type` names, whatever its parameters; None when it is not OTLP's."""
    media_type = content_type.partition(";")[0].strip().lower()
    return next((encoding for encoding in Encoding if encoding.value == media_type), None)


_GZIP = re.compile(r"(?:^|,)\s*(?:gzip|x-gzip|\*)\s*(?:;\s*q=([0-9.]+))?\s*(?:,|$)", re.IGNORECASE)


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the sender takes gzip in answers; `q=0` says no."""
    match = _GZIP.search(accept_encoding)
    return match is not None and (match[1] is None or float(match[1].strip(".") or 0) > 0)
