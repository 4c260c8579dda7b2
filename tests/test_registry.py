"""The table of components and the weight of importing it."""

import subprocess
import sys

import pytest

from spanmill.absent import instead_of
from spanmill.config.base import Model
from spanmill.names import Kind
from spanmill.registry import COMPONENTS, component_type, retirement
from spanmill.signal import Signal

HEAVY = ("pyarrow", "grpc", "aiohttp", "duckdb", "numpy")


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: f"{component.kind.value}-{component.name}")
def test_every_configuration_model_can_be_loaded(component: object) -> None:
    from spanmill.registry import ComponentType

    assert isinstance(component, ComponentType)
    assert issubclass(component.load_config(), Model)
    assert component.signals <= frozenset(Signal)


def test_aliases_lead_to_the_present_name() -> None:
    for alias, name in (("otlp", "otlp_grpc"), ("otlphttp", "otlp_http"), ("logging", "debug")):
        component = component_type(Kind.EXPORTERS, alias)
        assert component is not None
        assert component.name == name
        assert f"`{name}`" in retirement(Kind.EXPORTERS, alias)
        assert not retirement(Kind.EXPORTERS, name)


def test_a_type_that_is_not_built_says_so() -> None:
    forward = component_type(Kind.CONNECTORS, "forward")
    assert forward is not None
    with pytest.raises(ValueError, match="connector forward is not built by a factory"):
        forward.load_factory()


def test_no_type_is_both_there_and_absent() -> None:
    assert [component.name for component in COMPONENTS if instead_of(component.kind, component.name)] == []


@pytest.mark.parametrize(
    "module", ["spanmill.config", "spanmill.registry", "spanmill.config.environment", "spanmill.cli"]
)
def test_reading_a_configuration_imports_nothing_heavy(module: str) -> None:
    """Each in an interpreter of its own, with a whole configuration read."""
    program = (
        f"import sys, {module}\n"
        "from spanmill.config import read_configuration\n"
        "text = 'yaml:{receivers: {otlp: }, exporters: {debug: }, "
        "service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}}'\n"
        "read_configuration([text])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
