"""What `validate` says about pii_masking: mistakes in it, where it stands, and pipelines that let out what it masks."""

import pytest

from spanmill.config.render import render
from tests.config.conftest import Problems, Read


def _document(body: str) -> str:
    return (
        f"receivers: {{otlp: }}\nprocessors:\n  pii_masking:\n{body}"
        "exporters: {debug: }\n"
        "service: {pipelines: {traces: {receivers: [otlp], processors: [pii_masking], exporters: [debug]}}}\n"
    )


def test_all_mistakes_are_told_at_once_with_what_was_meant(problems: Problems) -> None:
    text = _document(
        "    mode: hmac\n"
        "    only: [emial]\n"
        "    detectors: {crad: {mode: drop}}\n"
        "    custom:\n"
        "      - {name: email, pattern: '(?=x)y'}\n"
        "      - {name: two, pattern: 'x*', checksum: lunh}\n"
        "    allow: {patterns: ['(a']}\n"
        "    secret_keys: {remove: [tokne], add: ['...']}\n"
        "    scope: {include: [atributes.user]}\n"
    )
    told = problems(text)
    assert [line.partition(" ")[2].partition(":")[0] for line in told] == [  # as they stand in the file
        "processors.pii_masking.mode",
        "processors.pii_masking.only[0]",
        "processors.pii_masking.detectors.crad",
        "processors.pii_masking.custom[0].name",
        "processors.pii_masking.custom[0].pattern",
        "processors.pii_masking.custom[1].pattern",
        "processors.pii_masking.custom[1].checksum",
        "processors.pii_masking.allow.patterns[0]",
        "processors.pii_masking.secret_keys.remove[0]",
        "processors.pii_masking.secret_keys.add[0]",
        "processors.pii_masking.scope.include[0]",
    ]
    for meant in ("email", "card", "luhn", "token", "attributes"):
        assert any(f'Did you mean "{meant}"?' in line for line in told), meant
    assert any("look-around" in line for line in told)


@pytest.mark.parametrize(
    ("hmac_block", "problem"),
    [
        ("{key: hunter2, key_id: a}", "the key is too short, it has 7 bytes; expected at least 16 bytes"),
        ("{key: '', key_id: a}", "Is the variable that it is from set?"),
        ("{key_id: a}", "a key is needed once, and neither is given; expected `key` or `key_file`"),
        ("{key: hunter2hunter2hunter2, key_file: k, key_id: a}", "both are given"),
        ("{key: hunter2hunter2hunter2}", "`key_id` is missing"),
        ("hunter2hunter2hunter2", "wrong type"),
    ],
)
def test_a_bad_key_is_refused_and_not_shown(problems: Problems, hmac_block: str, problem: str) -> None:
    (line,) = problems(_document(f"    mode: hmac\n    hmac: {hmac_block}\n"))
    assert problem in line
    assert "hunter2" not in line


def test_a_key_is_not_printed(read: Read) -> None:
    text = _document("    mode: hmac\n    hmac: {key: '${env:PII_KEY}', key_id: k1}\n")
    configuration = read(text, environ={"PII_KEY": "hunter2hunter2hunter2"})
    assert "hunter2" not in str(render(configuration, redacted=True))
    assert "hunter2" not in repr(configuration)


def test_what_has_no_effect_is_warned_of(read: Read) -> None:
    def warnings(body: str) -> list[str]:
        return [warning.message for warning in read(_document(body)).warnings]

    assert warnings("    dry_run: true\n") == ["findings are counted, and nothing is masked"]
    assert warnings("    hmac: {key: 0123456789abcdef, key_id: k1}\n") == [
        "no mode is `hmac`, so that the key is not used"
    ]
    assert warnings("    mode: drop\n") == []


def _service(pipelines: str, more: str = "", processors: str = "pii_masking: ") -> str:
    return (
        "receivers: {otlp: , otlp/other: {protocols: {grpc: {endpoint: 'localhost:5317'}}}}\n"
        f"processors: {{{processors}}}\n"
        "exporters: {parquet: {directory: a}, otlp_http: {endpoint: 'https://vendor.example.com'}}\n"
        f"connectors: {{forward: , forward/2: }}\nservice:\n{more}  pipelines:\n{pipelines}"
    )


MASKED = "    traces: {receivers: [otlp], processors: [pii_masking], exporters: [parquet]}\n"
LETS_OUT = "it lets out unmasked what traces masks, and both have it from receiver otlp"


@pytest.mark.parametrize("journal", ["", "  journal: {enabled: false}\n"])
@pytest.mark.parametrize("exporter", ["parquet", "otlp_http"])
def test_a_pipeline_that_writes_what_another_one_masks_is_refused(
    problems: Problems, exporter: str, journal: str
) -> None:
    text = _service(f"{MASKED}    traces/raw: {{receivers: [otlp], exporters: [{exporter}]}}\n", journal)
    (line,) = problems(text)
    assert f"service.pipelines.traces/raw: {LETS_OUT}; expected `pii_masking`" in line
    assert "`allow_unmasked: true` says that it is meant" in line


def test_so_is_one_in_front_of_a_connector_that_writes_too(problems: Problems) -> None:
    behind = "    traces: {receivers: [forward], processors: [pii_masking], exporters: [otlp_http]}\n"
    for exporters in ("[forward, parquet]", "[parquet, forward]"):
        front = f"    traces/in: {{receivers: [otlp], exporters: {exporters}}}\n"
        (line,) = problems(_service(f"{front}{behind}"))
        assert f"service.pipelines.traces/in: {LETS_OUT}" in line


def test_so_is_one_that_keeps_budgets_in_front_of_masking(problems: Problems) -> None:
    """Budgets read the journal, which the pipeline would not have without them."""
    pipelines = (
        "    traces/in: {receivers: [otlp], processors: [llm_cost], exporters: [forward]}\n"
        "    traces: {receivers: [forward], processors: [pii_masking], exporters: [parquet]}\n"
    )
    (line,) = problems(
        _service(pipelines, processors="pii_masking: , llm_cost: {budgets: {limits: {a: {daily_usd: 1}}}}")
    )
    assert LETS_OUT in line


def test_so_is_one_that_only_counts_what_it_finds(problems: Problems) -> None:
    text = _service(
        f"{MASKED}    traces/dry: {{receivers: [otlp], processors: [pii_masking/dry], exporters: [otlp_http]}}\n",
        processors="pii_masking: , pii_masking/dry: {dry_run: true}",
    )
    assert any(LETS_OUT in line for line in problems(text))


def test_a_branch_behind_a_connector_that_nobody_masked_is_refused(problems: Problems) -> None:
    pipelines = (
        "    traces/in: {receivers: [otlp], exporters: [forward]}\n"
        "    traces: {receivers: [forward], processors: [pii_masking], exporters: [parquet]}\n"
        "    traces/raw: {receivers: [forward], exporters: [otlp_http]}\n"
    )
    (line,) = problems(_service(pipelines))
    assert f"service.pipelines.traces/raw: {LETS_OUT}" in line


ONCE_FOR_ALL = (
    "    traces: {receivers: [otlp], processors: [pii_masking], exporters: [forward]}\n"
    "    traces/a: {receivers: [forward], exporters: [parquet]}\n"
    "    traces/b: {receivers: [forward], exporters: [otlp_http]}\n"
)
BEHIND = (
    "    traces/in: {receivers: [otlp], exporters: [forward]}\n"
    "    traces: {receivers: [forward], processors: [pii_masking], exporters: [parquet]}\n"
)
OTHER_RECEIVER = f"{MASKED}    traces/raw: {{receivers: [otlp/other], exporters: [otlp_http]}}\n"
MEANT = f"{MASKED}    traces/raw: {{receivers: [otlp], exporters: [otlp_http], allow_unmasked: true}}\n"
BOTH = f"{MASKED}    traces/b: {{receivers: [otlp], processors: [pii_masking], exporters: [otlp_http]}}\n"
NOBODY = "    traces: {receivers: [otlp], exporters: [parquet]}\n    logs: {receivers: [otlp], exporters: [parquet]}\n"


@pytest.mark.parametrize("pipelines", [ONCE_FOR_ALL, BEHIND, OTHER_RECEIVER, MEANT, BOTH, NOBODY])
def test_what_is_masked_before_it_is_written_is_fine(read: Read, pipelines: str) -> None:
    assert read(_service(pipelines)).warnings == ()


def test_that_it_is_meant_is_printed(read: Read) -> None:
    printed = render(read(_service(MEANT)), redacted=True)["service"]["pipelines"]
    assert printed["traces/raw"]["allow_unmasked"] is True
    assert "allow_unmasked" not in printed["traces"]


def test_a_signal_that_was_forgotten_is_warned_of(read: Read) -> None:
    (warning,) = read(_service(f"{MASKED}    logs: {{receivers: [otlp], exporters: [parquet]}}\n")).warnings
    assert warning.message == "logs from receiver otlp are not masked, and its traces are"
    assert warning.path == "service.pipelines.logs"


@pytest.mark.parametrize(
    ("processor", "body", "reason"),
    [
        ("llm_cost", "", "labels of its metrics"),
        ("filter", "{drop: [\"name = 'x'\"]}", "quotes it in the log"),
        ("gen_ai_normalizer", "", "masked twice"),
        ("attributes", "{actions: [{action: hash, key: user.id}]}", "hashes have no key"),
        ("resource", "{attributes: [{action: hash, key: user.id}]}", "hashes have no key"),
    ],
)
def test_processors_that_should_see_masked_text_only_are_warned_of(
    read: Read, processor: str, body: str, reason: str
) -> None:
    def warnings(order: str) -> list[str]:
        pipelines = f"    traces: {{receivers: [otlp], processors: [{order}], exporters: [parquet]}}\n"
        configuration = read(_service(pipelines, processors=f"pii_masking: , {processor}: {body}"))
        return [warning.message for warning in configuration.warnings]

    (message,) = warnings(f"{processor}, pii_masking")
    assert message.startswith(f"{processor} stands before pii_masking: ")
    assert reason in message
    assert warnings(f"pii_masking, {processor}") == []


def test_processors_that_show_nothing_may_stand_before_masking(read: Read) -> None:
    pipelines = (
        "    traces: {receivers: [otlp], processors: [memory_limiter, attributes, pii_masking], exporters: [parquet]}\n"
    )
    processors = (
        "pii_masking: , memory_limiter: {check_interval: 1s, limit_mib: 100}, "
        "attributes: {actions: [{action: delete, key: a}]}"
    )
    assert read(_service(pipelines, processors=processors)).warnings == ()
