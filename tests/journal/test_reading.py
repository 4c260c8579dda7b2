"""Which directories are journals of pipelines, by their names."""

from pathlib import Path

from spanmill.journal.directory import directory_name
from spanmill.journal.reading import pipeline_directories, signal_of
from spanmill.names import PipelineId
from spanmill.signal import Signal

OWN = [PipelineId(Signal.TRACES), PipelineId(Signal.LOGS, "a/b"), PipelineId(Signal.LOGS, part="of llm_judge")]
HELD = PipelineId(Signal.TRACES, "a", "before tail_sampling")
QUEUE = PipelineId(Signal.TRACES, part="queue of llm_judge")


def test_rows_on_their_way_to_exporters_are_found_and_those_that_wait_only_when_they_are_named(tmp_path: Path) -> None:
    for pipeline in (*OWN, HELD, QUEUE):
        (tmp_path / directory_name(pipeline)).mkdir()
    (tmp_path / "dead_letters").mkdir()
    (tmp_path / "tail_sampling").mkdir()
    assert set(pipeline_directories(tmp_path)) == {tmp_path / directory_name(pipeline) for pipeline in OWN}
    assert signal_of(tmp_path / directory_name(HELD)) is Signal.TRACES
    assert signal_of(tmp_path / directory_name(QUEUE)) is None
