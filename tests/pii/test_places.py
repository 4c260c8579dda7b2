"""Which places are masked, what stays the same, and what happens when masking fails."""

import pyarrow as pa
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from spanmill.batch import Batch
from spanmill.otlp.codec import decode, encode
from spanmill.pii.batches import mask_batch
from spanmill.pii.detectors import CATALOGUE
from spanmill.pii.finder import Finder
from spanmill.pii.masker import Masked, Masker
from spanmill.pii.places import Options
from spanmill.signal import Signal
from tests.data import spans, traces
from tests.llm.rows import Row
from tests.llm.rows import spans as rows_of

MASKER = Masker(Finder(CATALOGUE))
EMAIL = "ann@example.com"


class Broken(Masker):
    """Fails for whole columns that hold a certain text, as a defect would."""

    def mask(self, texts: pa.StringArray) -> Masked:
        if EMAIL in texts.to_pylist():
            raise RuntimeError(EMAIL)
        return super().mask(texts)

    def mask_values(self, keys: pa.Array, texts: pa.StringArray) -> Masked:
        if EMAIL in texts.to_pylist():
            raise RuntimeError(EMAIL)
        return super().mask_values(keys, texts)


def _attributes(batch: Batch) -> dict[str, str]:
    return dict(batch.column("attributes").to_pylist()[0])


def test_a_batch_without_findings_is_the_very_batch() -> None:
    batch = spans(3)
    masked = mask_batch(batch, MASKER)
    assert masked.batch is batch
    assert not masked.counts


def test_columns_without_findings_stand_on_the_same_memory() -> None:
    batch = rows_of(Row(name=EMAIL, attributes={"a": "text"}))
    masked = mask_batch(batch, MASKER).batch
    old, new = (b.records.column("attributes").flatten().field("key").buffers()[2].address for b in (batch, masked))
    assert old == new
    assert masked.column("name").to_pylist() == ["<EMAIL>"]


@pytest.mark.parametrize(
    "value",
    ["hunter2", 12345, 1.5, True, b"hunter2", b"\xff\xfe", ["hunter2"], [["x", 1]], {"any": {"deep": ["hunter2", 7]}}],
)
def test_all_that_is_under_a_key_that_names_a_secret_is_masked(value: object) -> None:
    batch = rows_of(Row(attributes={"password": value, "other": "hunter2"}))  # type: ignore[dict-item]
    masked = mask_batch(batch, MASKER)
    shown = _attributes(masked.batch)["password"]
    assert "hunter2" not in shown
    assert shown not in {"12345", "1.5", "true", "//4="}
    assert "7" not in shown
    assert _attributes(masked.batch)["other"] == "hunter2"
    assert set(masked.counts) == {("attributes", "secret_key_value")}


def test_globs_choose_places_and_everything_below_them() -> None:
    row = Row(name=EMAIL, attributes={"http.url": EMAIL, "db": EMAIL}, resource={"host": EMAIL})

    def places(*include: str, exclude: tuple[str, ...] = ()) -> set[str]:
        masked = mask_batch(rows_of(row), MASKER, Options(include=include or ("*",), exclude=exclude)).batch
        shown = {"name": masked.column("name")[0].as_py(), **_attributes(masked)}
        shown["host"] = dict(masked.column("resource_attributes").to_pylist()[0])["host"]
        return {name for name, text in shown.items() if text == "<EMAIL>"}

    assert places() == {"name", "http.url", "db", "host"}
    assert places("attributes") == {"http.url", "db"}
    assert places("attributes.http.*", "resource") == {"http.url", "host"}
    assert places(exclude=("attributes.http", "name")) == {"db", "host"}


def test_columns_that_processors_added_are_masked() -> None:
    batch = spans(2)
    batch = batch.with_record_column("input", pa.array([f'[{{"content":"{EMAIL}"}}]', None]))
    batch = batch.with_record_column("tags", pa.array([["a", EMAIL], None], pa.list_(pa.string())))
    masked = mask_batch(batch, MASKER)
    assert masked.batch.column("input").to_pylist() == ['[{"content":"<EMAIL>"}]', None]
    assert masked.batch.column("tags").to_pylist() == [["a", "<EMAIL>"], None]
    assert masked.counts == {("input", "email"): 1, ("tags", "email"): 1}


def test_a_part_of_a_batch_is_masked_like_a_batch() -> None:
    rows = [Row(name=f"{EMAIL} {number}", attributes={"n": [EMAIL, number]}) for number in range(4)]
    whole = mask_batch(rows_of(*rows), MASKER).batch
    part = mask_batch(rows_of(*rows).slice(1, 2), MASKER).batch
    assert part.table().equals(whole.slice(1, 2).table())


def test_where_masking_a_column_fails_its_values_are_replaced_and_nothing_else() -> None:
    batch = rows_of(Row(name=EMAIL, attributes={"to": EMAIL, "n": 7}, resource={"host": "10.1.2.3"}))
    masked = mask_batch(batch, Broken(Finder(CATALOGUE)))
    assert masked.batch.column("name").to_pylist() == ["<MASKING FAILED>"]
    assert _attributes(masked.batch) == {"to": "<MASKING FAILED>", "n": "7"}
    assert dict(masked.batch.column("resource_attributes").to_pylist()[0])["host"] == "<IPV4>"
    assert masked.counts == {("name", "failed"): 1, ("attributes", "failed"): 1, ("resource.attributes", "ipv4"): 1}


def test_a_dry_run_counts_by_place_and_changes_nothing() -> None:
    batch = rows_of(Row(name=EMAIL, attributes={"to": EMAIL}, resource={"host": "10.1.2.3"}))
    masked = mask_batch(batch, Masker(Finder(CATALOGUE), dry_run=True))
    assert masked.batch is batch
    assert masked.counts == {("name", "email"): 1, ("attributes", "email"): 1, ("resource.attributes", "ipv4"): 1}


def test_what_the_decoder_does_not_see_in_nested_values_is_gone() -> None:
    """A value that a later one overrides, and a field that OTLP does not have, are bytes that nobody looked at."""
    unknown = b"\xfa\x07" + bytes([len(EMAIL)]) + EMAIL.encode()  # field 127, a text
    element = (
        AnyValue(string_value=EMAIL).SerializeToString() + AnyValue(string_value="seen").SerializeToString() + unknown
    )
    stand_in = AnyValue(string_value="-" * (len(element) - 2))
    request = traces()
    value = AnyValue(array_value=ArrayValue(values=[stand_in]))
    request.resource_spans[0].scope_spans[0].spans[0].attributes.append(KeyValue(key="list", value=value))
    payload = request.SerializeToString().replace(stand_in.SerializeToString(), element)
    batch = Batch(Signal.TRACES, decode(Signal.TRACES, [payload]).records)
    assert EMAIL.encode() in encode(Signal.TRACES, batch.records)
    masked = mask_batch(batch, MASKER).batch
    assert EMAIL.encode() not in encode(Signal.TRACES, masked.records)
    assert _attributes(masked).items() >= {"list": '["seen"]'}.items()
