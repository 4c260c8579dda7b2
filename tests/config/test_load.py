"""Sources, merging, references and YAML itself."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.config import read_configuration
from spanmill.config.expand import Expansion
from spanmill.config.load import load
from spanmill.config.merge import merge
from spanmill.config.parse import YamlError, parse_scalar, parse_yaml
from spanmill.config.tree import Location, Tree
from spanmill.errors import ConfigError
from spanmill.exporters.debug.config import DebugExporterConfig
from spanmill.exporters.prometheus.config import PrometheusExporterConfig
from spanmill.names import ComponentId
from spanmill.processors.batch.config import BatchProcessorConfig
from spanmill.processors.memory_limiter.config import MemoryLimiterProcessorConfig
from spanmill.receivers.otlp.config import OtlpReceiverConfig
from tests.config.conftest import RUNNABLE, Problems, Read

HERE = Location("here")
NO_ANCHOR = (
    "an alias without an anchor before it; expected its anchor (&) above. A text that begins with * needs quotes."
)


def batch_of(read: Read, body: str, **options: object) -> BatchProcessorConfig:
    config = read(f"{RUNNABLE}\nprocessors: {{batch: {body}}}", **options).processors[ComponentId("batch")]
    assert isinstance(config, BatchProcessorConfig)
    return config


def test_later_files_join_maps_and_replace_lists(read: Read) -> None:
    later = """
    exporters: {debug: {verbosity: detailed}, debug/two: }
    service: {pipelines: {traces: {exporters: [debug/two]}}}
    """
    configuration = read(RUNNABLE, later)
    (pipeline,) = configuration.service.pipelines.values()
    assert pipeline.exporters == (ComponentId("debug", "two"),)
    assert pipeline.receivers == (ComponentId("otlp"),)
    debug = configuration.exporters[ComponentId("debug")]
    assert isinstance(debug, DebugExporterConfig)
    assert debug.verbosity == "detailed"


def test_an_empty_section_in_a_later_file_keeps_the_earlier_with_a_warning(read: Read) -> None:
    configuration = read(RUNNABLE, "exporters:\n")
    assert ComponentId("debug") in configuration.exporters
    (warning,) = configuration.warnings
    assert warning.path == "exporters"


def test_set_wins_over_every_file_in_either_notation(read: Read) -> None:
    for override in ("processors.batch.timeout=2s", "processors::batch::timeout=2s"):
        assert batch_of(read, "{timeout: 1s}", overrides=(override,)).timeout == 2.0


def test_a_problem_of_set_is_placed_at_its_number(problems: Problems) -> None:
    overrides = ("exporters.debug.verbosity=normal", "exporters.debug.verbosty=normal", "nonsense")
    first, second = problems(RUNNABLE, overrides=overrides)
    assert first.startswith("--set[2] exporters.debug.verbosty: unknown key `verbosty`")
    assert first.endswith('Did you mean "verbosity"?')
    assert second.startswith("--set[3]: not an override; expected path=value")


def test_sources_may_be_files_variables_and_yaml(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(RUNNABLE)
    sources = [f"file:{path}", "env:MORE", "yaml:processors::batch::timeout: 3s"]
    configuration = read_configuration(sources, (), {"MORE": "processors: {batch: {send_batch_size: 7}}"})
    batch = configuration.processors[ComponentId("batch")]
    assert batch == BatchProcessorConfig(send_batch_size=7, timeout="3s")


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read: No such file"):
        read_configuration(["nowhere.yaml"])


@pytest.mark.parametrize(
    "reference", ["${env:SIZE}", "${SIZE}", "${env:NONE:-12}", "${NONE:-${env:SIZE}}", "${yaml:12}"]
)
def test_a_reference_stands_where_a_number_belongs(read: Read, reference: str) -> None:
    assert batch_of(read, f'{{send_batch_size: "{reference}"}}', environ={"SIZE": "12"}).send_batch_size == 12


def test_a_reference_to_a_file_is_its_content(read: Read, tmp_path: Path) -> None:
    size, body = tmp_path / "size", tmp_path / "batch.yaml"
    size.write_text("12\n")
    body.write_text("send_batch_size: 12\ntimeout: ${env:WAIT}\n")
    assert batch_of(read, f"{{send_batch_size: '${{file:{size}}}'}}").send_batch_size == 12
    batch = batch_of(read, f"'${{file:{body}}}'", environ={"WAIT": "9s"})
    assert (batch.send_batch_size, batch.timeout) == (12, 9.0)


def text_of(read: Read, value: str, **options: object) -> str:
    listeners = f"{{http: {{response_headers: {{a: {value}}}}}}}"
    config = read(RUNNABLE, f"receivers: {{otlp: {{protocols: {listeners}}}}}", **options).receivers[
        ComponentId("otlp")
    ]
    assert isinstance(config, OtlpReceiverConfig)
    assert config.protocols.http is not None
    return config.protocols.http.response_headers["a"]


@pytest.mark.parametrize(
    "text", ["0123", "true", "1e3", "a: b", "*x", "a #b", '"quoted"', "{", "", "~", "a\nb: c\n---", "ü"]
)
def test_a_text_key_gets_a_variable_as_it_is_written(read: Read, text: str) -> None:
    assert text_of(read, "'${env:TOKEN}'", environ={"TOKEN": text}) == text
    assert text_of(read, "'Bearer ${env:TOKEN}'", environ={"TOKEN": text}) == f"Bearer {text}"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("a$$b", "a$b"),
        ("^a$", "^a$"),
        ("$", "$"),
        ("$1", "$1"),
        ("$${env:X}", "${env:X}"),
        ("${", "${"),
        ("$$$$", "$$"),
    ],
)
def test_dollar_signs_that_begin_no_reference(read: Read, written: str, text: str) -> None:
    assert text_of(read, f"'{written}'") == text


def test_a_naked_variable_is_left_alone_with_a_warning(read: Read) -> None:
    configuration = read(
        f"{RUNNABLE}\nprocessors: {{resource: {{attributes: [{{key: a, action: insert, value: $HOME}}]}}}}"
    )
    (warning,) = configuration.warnings
    assert warning.message == "a $ without braces behind it begins no reference and is left as it is"
    assert "${env:NAME}" in warning.hint


def test_an_unset_variable_without_default_names_the_variable(problems: Problems) -> None:
    text = RUNNABLE.replace("{debug: }", "{debug: {verbosity: '${env:VERBOSITI}'}}")
    (line,) = problems(text, environ={"VERBOSITY": "x"})
    assert line.startswith("0.yaml:3:32 exporters.debug.verbosity: the environment variable VERBOSITI is not set. ")
    assert line.endswith('Set VERBOSITI, or give a default: ${env:VERBOSITI:-...}. Did you mean "VERBOSITY"?')


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("${env:A}", "refers to itself"),
        ("${http://x}", "the scheme of ${http://x} is unknown"),
        ("${1}", "does not name a variable"),
        ("${file:/nowhere}", "${file:/nowhere} cannot be read"),
    ],
)
def test_a_reference_that_leads_nowhere_is_an_error(problems: Problems, reference: str, message: str) -> None:
    text = RUNNABLE.replace("{debug: }", f"{{debug: {{verbosity: '{reference}'}}}}")
    (line,) = problems(text, environ={"A": "${env:B}", "B": "${env:A}"})
    assert message in line


@given(st.text(st.characters(exclude_characters="$", codec="utf-8")))
def test_expanding_a_text_without_dollar_changes_nothing(text: str) -> None:
    tree = Tree(text, HERE, text=text)
    assert Expansion({}).tree(tree) == tree


@given(st.text("${}:-AB_env", max_size=30), st.text("${}:-AB_env", max_size=10))
def test_expanding_any_text_ends_in_a_text_or_a_problem(text: str, content: str) -> None:
    expansion = Expansion({"A": content, "B": "${env:A}"})
    tree = expansion.tree(Tree(text, HERE, text=text))
    assert not tree.broken or expansion.problems


scalars = st.one_of(st.integers(), st.text("abc", max_size=3)).map(lambda value: Tree(value, HERE))
inner = st.dictionaries(st.sampled_from("abc"), scalars, max_size=3).map(lambda value: Tree(value, HERE))
outer = st.dictionaries(st.sampled_from("xyz"), inner, max_size=3).map(lambda value: Tree(value, HERE))


@given(outer, outer, outer)
def test_merging_does_not_depend_on_grouping(first: Tree, second: Tree, third: Tree) -> None:
    assert merge(merge(first, second), third) == merge(first, merge(second, third))
    assert merge(first, first) == first
    assert merge(Tree({}, HERE), first) == first == merge(first, Tree({}, HERE))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("true", True),
        ("0x1f", 31),
        ("0755", 493),
        ("0899", 899.0),
        ("1_000", 1000),
        ("-1.5e3", -1500.0),
        ("~", None),
        (".", "."),
        ("1.2.3", "1.2.3"),
    ],
)
def test_plain_scalars_mean_what_they_mean_in_yaml_1_2(text: str, value: object) -> None:
    assert parse_scalar(text) == value


def test_carriage_returns_missing_newline_and_document_start_are_no_trouble(read: Read) -> None:
    crlf = RUNNABLE.strip().replace("\n", "\r\n")
    assert read(f"# comment\r\n---\r\n{crlf}").service.pipelines


def test_a_byte_order_mark_is_no_trouble(read: Read) -> None:
    assert read(b"\xef\xbb\xbf" + RUNNABLE.encode()).service.pipelines


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a: 1\nb: \xff", "0.yaml:2:4: the file is not UTF-8; expected UTF-8 text; found the byte 0xff"),
        ("receivers:\n\totlp:\n", "0.yaml:2:1: a tab is used for indentation; expected spaces"),
        ("a: 1\nb: 2\na: 3\n", "0.yaml:3:1: the key `a` is already on line 1; expected each key once"),
        ("a: 1\n---\nb: 2\n", "0.yaml:2:1: a second document begins; expected one document in a file"),
        (
            "- a\n",
            "0.yaml:1:1: not a configuration; expected a map with receivers, exporters and service; found a list",
        ),
        (
            "a: *b\n",
            f"0.yaml:1:4: {NO_ANCHOR}",
        ),
        (
            "a: &a [*a]\n",
            f"0.yaml:1:8: {NO_ANCHOR}",
        ),
        ("a: [1, 2\nb: 3\n", "0.yaml:2:2: not YAML"),
        ("a: " + "[" * 150 + "]" * 150, "0.yaml:1:104: nested more than 100 levels deep"),
        (
            "a: !python/object:x {}\n",
            "0.yaml:1:4: a tag that has no meaning here. A text that begins with ! needs quotes.",
        ),
        ("? [a]\n: b\n", "0.yaml:1:3: a key that is not text; expected text"),
        ("a: \x07\n", "0.yaml:1:1: a control character that YAML does not allow"),
    ],
)
def test_broken_yaml_is_explained_with_its_place(problems: Problems, text: str | bytes, message: str) -> None:
    (line, *_) = problems(text)
    assert line.startswith(message)


def test_aliases_that_explode_are_stopped(problems: Problems) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (line,) = problems("\n".join(lines))
    assert "more than 100000 values, aliases counted at full size" in line


def test_anchors_and_merge_keys_work(read: Read) -> None:
    text = """
    receivers: {otlp: }
    processors:
      batch: &base {timeout: 1s, send_batch_size: 5}
      batch/two: {<<: *base, timeout: 2s}
    exporters: {debug: }
    service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}
    """
    two = read(text).processors[ComponentId("batch", "two")]
    assert two == BatchProcessorConfig(timeout="2s", send_batch_size=5)


def test_a_number_is_taken_as_text_where_text_belongs(read: Read) -> None:
    body = "exporters: {prometheus: {endpoint: ':9464', const_labels: {shard: 007}}}"
    prometheus = read(RUNNABLE, body).exporters[ComponentId("prometheus")]
    assert isinstance(prometheus, PrometheusExporterConfig)
    assert prometheus.const_labels == {"shard": "007"}


def test_an_empty_variable_means_the_default(read: Read) -> None:
    body = "processors: {memory_limiter: {check_interval: 2s, limit_mib: 10, spike_limit_mib: '${env:SPIKE}'}}"
    limiter = read(RUNNABLE, body, environ={"SPIKE": ""}).processors[ComponentId("memory_limiter")]
    assert isinstance(limiter, MemoryLimiterProcessorConfig)
    assert limiter.spike_limit_mib == 0


keys = st.sampled_from(
    ["receivers", "otlp", "exporters", "debug", "service", "pipelines", "traces", "batch", "protocols", "grpc"]
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), keys),
    lambda inside: st.one_of(st.lists(inside, max_size=3), st.dictionaries(keys, inside, max_size=4)),
    max_leaves=20,
)


@given(st.dictionaries(keys, anything, max_size=5))
def test_any_configuration_is_read_or_explained(value: dict[str, object]) -> None:
    import yaml

    with suppress(ConfigError):
        read_configuration(["yaml:" + yaml.safe_dump(value)], (), {})


@given(st.text(max_size=200))
def test_any_text_is_yaml_or_explained(text: str) -> None:
    with suppress(YamlError):
        parse_yaml(text, "x")


@given(st.binary(max_size=100))
def test_any_bytes_are_a_configuration_or_explained(data: bytes) -> None:
    tree, problems = load(["env:X"], (), {"X": data.decode("latin-1")})
    assert tree is not None or problems
