"""An evaluation that an application sends ends in the table `evaluations`, wherever rows are stored."""

from pathlib import Path

import duckdb
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

from spanmill.batch import Batch
from spanmill.component import Position
from spanmill.llm.evaluations import EVENT_NAME, NAME, SCORE, batch_of
from spanmill.otlp.codec import decode
from spanmill.query.session import open_session
from spanmill.schema import EVALUATIONS
from spanmill.signal import Signal
from tests.data import spans
from tests.exporters.duckdb.test_duckdb_exporter import running
from tests.exporters.parquet.test_parquet_exporter import running as parquet_running
from tests.llm.evaluations import SPAN, TRACE, judged, sent

SQL = "select name, trace_id, span_id, score, source, service_name from {} order by name"
FROM_APPLICATION = ("helpful", TRACE, SPAN, 1.0, "application", "shop")
FROM_JUDGE = ("relevance", TRACE, SPAN, 0.25, "judge", "desk")


def from_application() -> Batch:
    """Out of the bytes of a request, as a receiver has them."""
    return Batch(Signal.LOGS, decode(Signal.LOGS, [sent({}).SerializeToString()]).records)


def from_sdk() -> bytes:
    """What the SDK of OpenTelemetry sends of an event that is emitted while a span is the current one."""
    memory = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(memory))
    span = NonRecordingSpan(SpanContext(int(TRACE, 16), int(SPAN, 16), is_remote=False))
    provider.get_logger("checks").emit(
        event_name=EVENT_NAME,
        context=set_span_in_context(span),
        attributes={NAME: "helpful", SCORE: 1},
    )
    provider.shutdown()
    return bytes(encode_logs(memory.get_finished_logs()).SerializeToString())


def test_an_event_of_opentelemetrys_sdk_is_the_same_row() -> None:
    batch = Batch(Signal.LOGS, decode(Signal.LOGS, [from_sdk()]).records)
    names = ("name", "trace_id", "span_id", "score", "source", "service_name")
    [row] = batch.table([EVALUATIONS.columns[name] for name in names]).to_pylist()
    assert tuple(row.values()) == FROM_APPLICATION


async def test_a_database_shows_evaluations_of_applications_and_judges_before_and_after_they_are_settled(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.duckdb"
    async with running(path) as exporter:
        assert read(path, "evaluations") == []
        await exporter.export(from_application(), Position("j", 0, 0))
        assert read(path, "evaluations") == [FROM_APPLICATION]
        await exporter.tend()
        await exporter.export(batch_of([judged(service_name="desk")], resource_attributes={}), Position("j", 1, 1))
        assert read(path, "evaluations") == [FROM_APPLICATION, FROM_JUDGE]
        with duckdb.connect(str(path), read_only=True) as connection:
            assert connection.execute("select count(*) from logs").fetchall() == [(4,)]
            comments = dict(
                connection.execute(
                    "select column_name, comment from duckdb_columns() where table_name = 'evaluations'"
                ).fetchall()
            )
        assert comments["score"].startswith("The score")
        assert None not in comments.values()


def read(path: Path, table: str) -> list[tuple[object, ...]]:
    """As somebody does who attached the file under a name of their own."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{path}' as live (read_only)")
        return connection.execute(SQL.format(f"live.{table}")).fetchall()


async def test_a_directory_of_files_shows_them_too_and_nothing_where_there_is_none(tmp_path: Path) -> None:
    async with parquet_running(tmp_path) as exporter:
        await exporter.export(spans(3), Position("j", 0, 0))
        with open_session(tmp_path, progress=False) as session:
            assert session.execute(SQL.format("evaluations")).fetchall() == []
        await exporter.export(from_application(), Position("j", 1, 1))
        with open_session(tmp_path, progress=False) as session:
            assert session.execute(SQL.format("evaluations")).fetchall() == [FROM_APPLICATION]


async def test_a_mean_is_weighted_as_the_documents_say(tmp_path: Path) -> None:
    async with parquet_running(tmp_path) as exporter:
        common, rare = judged(score=0.0, sample_weight=9.0), judged(score=1.0, sample_weight=1.0)
        await exporter.export(batch_of([common, rare], resource_attributes={}), Position("j", 0, 0))
        await exporter.export(spans(1), Position("j", 1, 1))
    examples = (Path(__file__).parents[3] / "docs" / "evaluations.md").read_text(encoding="utf-8").split("```sql\n")[1:]
    found = [example.partition("```")[0] for example in examples]
    assert len(found) >= 3
    with open_session(tmp_path, progress=False) as session:
        answers = [session.execute(sql).fetchall() for sql in found]
    [(evaluator, model, mean, *_)] = answers[0]
    assert (evaluator, model, mean) == ("relevance", "gpt-4o", 0.1)
