"""The load generator: realistic LLM telemetry from OpenTelemetry's own SDK and exporters, repeatable by a seed."""

from spanmill.generate.options import Options, Protocol

__all__ = ["Options", "Protocol", "generate"]


def generate(options: Options) -> int:
    """Send what the options ask for, with a progress bar on a terminal; the number of traces sent.

    Raises `SpanmillError` when the SDK is not installed, or the endpoint refuses.
    """
    from spanmill.errors import SpanmillError

    try:
        from spanmill.generate.load import send
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        raise SpanmillError(
            f"generate: OpenTelemetry's SDK is not installed ({error.name}). "
            "Install it: pip install 'spanmill[generate]'"
        ) from None
    return send(options)
