"""OTLP on one side, columns on the other. No sockets, no asyncio."""
