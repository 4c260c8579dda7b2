"""The data set itself: its labels are exact, its numbers are what they say, and it owes nothing to the detectors."""

import ast
import ipaddress
import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from spanmill.pii.detector import Detector, Form
from spanmill.pii.finder import Finder
from tests.pii.dataset import numbers
from tests.pii.dataset.containers import Container, field, json_list, json_object, tool_arguments
from tests.pii.dataset.generator import TEXTS, samples
from tests.pii.dataset.labelled import Value, assembled
from tests.pii.dataset.measuring import measured

_HERE = Path(__file__).parent
_MEASURERS = {"measuring.py", "misses.py", "document.py", "test_accuracy.py", "test_dataset.py"}
_PART = 40


def test_the_generator_takes_nothing_from_what_it_measures() -> None:
    sources = [path for path in _HERE.glob("*.py") if path.name not in _MEASURERS]
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for path in sources
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert len(sources) > 8
    assert [name for name in imported if name.startswith("spanmill")] == []


def test_the_same_seed_gives_the_same_texts_and_another_seed_others() -> None:
    part = list(samples(every=_PART))
    assert part == list(samples(every=_PART))
    assert len(part) == TEXTS // _PART
    assert {sample.text for sample in part}.isdisjoint(sample.text for sample in samples(seed=6, every=_PART))


def test_labels_hold_exactly_the_value_in_order_and_apart() -> None:
    for sample in samples(every=_PART):
        assert [sample.text[label.start : label.end] for label in sample.labels] == [
            label.value.text for label in sample.labels
        ]
        edges = [edge for label in sample.labels for edge in (label.start, label.end)]
        assert edges == sorted(edges)
        assert (sample.kind == "negative") == (not sample.labels)


@pytest.mark.parametrize(
    ("before", "check", "made"),
    [
        ("411111111111111", 1, numbers.luhn_digit),
        ("37828224631000", 5, numbers.luhn_digit),
        ("120814752", 1, numbers.brn_check),
        ("900101123456", 8, numbers.rrn_check),
        ("12345678901", 8, numbers.my_number_check),
    ],
)
def test_check_digits_are_those_of_published_examples(before: str, check: int, made: Callable[[str], int]) -> None:
    assert made(before) == check


def test_the_check_digits_of_an_account_are_those_of_published_examples() -> None:
    assert numbers.iban_check("GB", "WEST12345698765432") == "82"
    assert numbers.iban_check("DE", "370400440532013000") == "89"


def test_residents_numbers_come_with_and_without_a_valid_check_digit() -> None:
    forms = [numbers.kr_rrn(Random(seed)).form for seed in range(200)]
    assert 40 < sum("no check digit" in form for form in forms) < 160
    assert 20 < sum(form.startswith("foreigner") for form in forms) < 90


@pytest.mark.parametrize("container", [json_object, json_list, tool_arguments])
def test_what_is_said_to_be_json_is_json_with_the_label_on_the_escaped_value(container: Container) -> None:
    value = Value("email", 'o"neil@example.com', "quoted")
    sample = assembled(container(Random(1), [field(Random(1), value, (value,))], "ja"), "ja", "json")
    assert "neil@example.com" in json.dumps(json.loads(sample.text))
    (label,) = sample.labels
    assert sample.text[label.start : label.end].replace("\\", "") == value.text


def test_addresses_of_machines_are_valid() -> None:
    for sample in samples(every=_PART):
        for label in sample.labels:
            if label.value.detector in ("ipv4", "ipv6") and sample.kind != "url_query":
                assert ipaddress.ip_address(label.value.text).version == int(label.value.detector[-1])


def test_measures_are_those_of_a_case_counted_by_hand() -> None:
    """Two digits found as one; ten found where eleven are; one found that is none; one missed."""
    texts = [
        assembled(["가 ", Value("short", "12", "a"), "나"], "ko", "sentences"),
        assembled([Value("long", "1234567890a", "b")], "ko", "sentences"),
        assembled(["99"], "ko", "negative"),
        assembled([Value("short", "xx", "c")], "en", "sentences"),
    ]
    finder = Finder([Detector("long", (Form("[0-9]{10}"),)), Detector("short", (Form("[0-9]{2}"),))])
    measures = measured(finder, texts)
    assert finder.find(pa.array(["가 12"])).starts.tolist() == [4]
    short, long = measures.of("short"), measures.of("long")
    assert (short.values, short.values_found, short.findings) == (2, 1, 2 + 0)
    assert (short.findings_right, short.characters, short.characters_covered) == (1, 4, 2)
    assert (long.values_found, long.findings_right, long.characters_covered) == (1, 1, 10)
    assert measures.negative_findings == {"short": 1}
    assert measures.negative_texts == 1
    assert measures.of(language="en").recall == 0
    assert (len(measures.missed), len(measures.wrong)) == (1, 1)
