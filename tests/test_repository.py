"""The repository keeps its own rules: sizes, names, links, pins."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_MODULE_LINES, _TEST_LINES, _FUNCTION_LINES = 400, 500, 50
_README_LINES = 150

# What may be longer, and why.
LONG_MODULES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}

_SOURCES = sorted((_ROOT / "src").rglob("*.py"))
_TESTS = sorted((_ROOT / "tests").rglob("*.py"))
_DOCUMENTS = [*sorted(_ROOT.glob("*.md")), *sorted((_ROOT / "docs").rglob("*.md"))]


def _name(path: Path) -> str:
    return path.relative_to(_ROOT).as_posix()


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_module_is_longer_than_what_is_read_in_one_go() -> None:
    long = [
        f"{_name(path)}: {lines} lines"
        for path, limit in [(p, _MODULE_LINES) for p in _SOURCES] + [(p, _TEST_LINES) for p in _TESTS]
        if (lines := path.read_text(encoding="utf-8").count("\n")) > limit and _name(path) not in LONG_MODULES
    ]
    assert long == []


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{_name(path)}:{function.lineno} {function.name}: {length} lines"
        for path in _SOURCES
        for function in _functions(path)
        if (length := (function.end_lineno or 0) - function.lineno + 1) > _FUNCTION_LINES
        and f"{_name(path)}:{function.name}" not in LONG_FUNCTIONS
    ]
    assert long == []


def test_names_of_tests_are_sentences() -> None:
    """At least three words behind `test_`: fewer name a thing, not a promise."""
    short = [
        f"{_name(path)}:{function.name}"
        for path in _TESTS
        for function in _functions(path)
        if function.name.startswith("test_") and len(function.name.split("_")) < 4
    ]
    assert short == []


@pytest.mark.parametrize("forbidden", ["utils", "helpers", "manager", "common", "misc"])
def test_no_module_is_named_after_nothing(forbidden: str) -> None:
    assert [_name(path) for path in _SOURCES if forbidden in path.stem.split("_")] == []


def test_pins_name_versions_and_no_place_to_get_them_from() -> None:
    pins = [line for line in (_ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert pins
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", pin)] == []


def test_every_dependency_has_a_pin() -> None:
    import tomllib

    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    names = {_normal(re.split(r"[<>=!~;\[ ]", requirement)[0]) for requirement in wanted} - {"spanmill"}
    pinned = {_normal(line.partition("==")[0]) for line in (_ROOT / "constraints.txt").read_text().splitlines()}
    assert names - pinned == set()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_lock_of_the_node_packages_names_no_registry() -> None:
    text = (_ROOT / "tests" / "delivery" / "node" / "package-lock.json").read_text(encoding="utf-8")
    assert "://" not in text


@pytest.mark.parametrize("path", _DOCUMENTS, ids=_name)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    broken = [target for target in targets if not _leads_somewhere(path, target)]
    assert broken == []


def _leads_somewhere(path: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    file = path.parent / name if name else path
    if not file.exists():
        return False
    headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
    return not anchor or anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_read_in_one_go_and_its_map_is_true() -> None:
    text = (_ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("\n") <= _README_LINES
    drawn = text.split("## Where things are")[1].split("```")[1]
    paths = re.findall(r"^(  )?([\w./-]+)(?=\s{2,}|/)", drawn, re.MULTILINE)
    missing = [
        name for indent, name in paths if not (_ROOT / ("src/spanmill" if indent else ".") / name.rstrip("/")).exists()
    ]
    assert missing == []


def test_the_readme_lists_every_component() -> None:
    from spanmill.names import Kind
    from spanmill.registry import component_types

    text = (_ROOT / "README.md").read_text(encoding="utf-8").split("## Components")[1].split("## ")[0]
    names = [component.name for kind in Kind for component in component_types(kind) if not component.ignored]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_the_operations_page_explains_every_exit_code() -> None:
    from spanmill.exit_codes import ExitCode

    text = (_ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert [code for code in ExitCode if f"\n| {code.value} |" not in text] == []


def test_the_example_in_the_guide_for_components_works() -> None:
    from spanmill.names import ComponentId, Kind
    from spanmill.otlp.codec import decode
    from spanmill.signal import Signal

    text = (_ROOT / "docs" / "writing-a-component.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, object] = {"__name__": "example"}
    exec(compile(example, "writing-a-component.md", "exec"), names)
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    from spanmill.batch import Batch

    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for name, milliseconds in (("quick", 1), ("slow", 300)):
        spans.add(name=name, start_time_unix_nano=10**18, end_time_unix_nano=10**18 + milliseconds * 10**6)
    batch = Batch(Signal.TRACES, decode(Signal.TRACES, [request.SerializeToString()]).records)
    config = names["KeepSlowProcessorConfig"]()  # type: ignore[operator]
    kept = names["KeepSlowProcessor"](config, (Kind.PROCESSORS, ComponentId("keep_slow")))(batch)  # type: ignore[operator]
    assert kept.column("name").to_pylist() == ["slow"]


def test_make_explains_itself() -> None:
    shown = subprocess.run(
        ["make", "-C", str(_ROOT), "--no-print-directory"], check=True, capture_output=True, text=True
    )
    assert {"run", "demo", "test", "check", "docs", "bench", "torture"} <= set(
        re.findall(r"make ([\w-]+)", shown.stdout)
    )
