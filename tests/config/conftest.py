"""Reading small configurations in a line."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from spanmill.config import Configuration, read_configuration
from spanmill.errors import ConfigError

Read = Callable[..., Configuration]
Problems = Callable[..., list[str]]

RUNNABLE = """
receivers: {otlp: }
exporters: {debug: }
service:
  pipelines:
    traces: {receivers: [otlp], exporters: [debug]}
"""


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads texts, each as a file of its own, one laid over the other."""

    def read_texts(
        *texts: str | bytes, overrides: tuple[str, ...] = (), environ: Mapping[str, str] | None = None
    ) -> Configuration:
        paths = []
        for number, text in enumerate(texts):
            path = tmp_path / f"{number}.yaml"
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            paths.append(str(path))
        return read_configuration(paths, overrides, environ or {})

    return read_texts


@pytest.fixture
def problems(read: Read, tmp_path: Path) -> Problems:
    """The problems of a configuration that cannot be used, as printed, without the directory."""

    def problems_of(*texts: str | bytes, **options: object) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            read(*texts, **options)
        return [line.replace(f"{tmp_path}/", "") for line in str(caught.value).splitlines()]

    return problems_of
