"""What waits in the queue is what was chosen, with all that its questions need."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanmill.batch import Batch
from spanmill.judge.config import EvaluatorConfig
from spanmill.judge.making import evaluators_of
from spanmill.judge.questions import questions
from spanmill.processors.llm_judge.choosing import Chooser
from spanmill.processors.llm_judge.questioning import Questioner
from spanmill.processors.llm_judge.samples import batch_of, samples_of
from tests.data import spans
from tests.logs import CapturedLog
from tests.processors.llm_judge.judging import NOW, calls

RELEVANCE, FAITHFULNESS = evaluators_of(
    [EvaluatorConfig.model_validate(name) for name in ("relevance", "faithfulness")], share=0.5
)


def chooser() -> Chooser:
    return Chooser([RELEVANCE, FAITHFULNESS], None, CapturedLog(), lambda: NOW)


def documents(count: int, first: int = 1) -> Batch:
    """Retrievals in the traces of the calls of the same numbers."""
    texts = [f'[{{"content": "Document {number}."}}]' for number in range(first, first + count)]
    return calls(count, first, is_llm_call=None, operation="retrieval", input=None, output=None, documents=texts)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4))
def test_questions_of_samples_are_those_of_the_spans(sizes: list[int]) -> None:
    firsts = [1 + sum(sizes[:place]) for place in range(len(sizes))]
    batches = [calls(count, first) for first, count in zip(firsts, sizes, strict=True)]
    chosen = Chooser([RELEVANCE], None, CapturedLog(), lambda: NOW).choose(Batch.concat(batches), 10**6)
    if not chosen.samples:
        return
    (samples,) = samples_of(batch_of(chosen.samples))
    ready, others = Questioner({"relevance": RELEVANCE}).ask(samples)
    assert not others
    assert len(ready) == len(samples) == chosen.sampled["relevance"]
    asked = {question.key: question for batch in batches for question in questions(batch, RELEVANCE)[0]}
    assert [sample.question for sample in ready] == [asked[sample.question.key] for sample in ready]
    assert samples.question_keys() == [sample.question.key for sample in ready]
    assert {sample.queued_at for sample in ready} == {NOW}


def test_each_evaluator_has_its_own_and_the_spans_of_their_traces_are_no_samples() -> None:
    chosen = chooser().choose(Batch.concat([documents(60), calls(60)]), 10**6)
    found = {samples.evaluator: samples for samples in samples_of(batch_of(chosen.samples))}
    assert {name: len(samples) for name, samples in found.items()} == dict(chosen.sampled)
    assert len(found["relevance"].context) == 0
    ready, others = Questioner({"faithfulness": FAITHFULNESS}).ask(found["faithfulness"])
    assert not others
    for sample in ready:
        number = int(sample.question.span_id, 16)
        assert f"Document {number}." in sample.question.messages[1]["content"]


def test_parts_are_all_of_them_and_keep_the_context() -> None:
    chosen = chooser().choose(Batch.concat([documents(100), calls(100)]), 10**6)
    (samples,) = (each for each in samples_of(batch_of(chosen.samples)) if each.evaluator == "faithfulness")
    questioner = Questioner({"faithfulness": FAITHFULNESS})
    parts = [sample for part in samples.parts(7) for sample in questioner.ask(part)[0]]
    assert parts == questioner.ask(samples)[0]
    assert len(parts) > 20


def test_no_more_are_chosen_than_there_is_room_for() -> None:
    chosen = chooser().choose(Batch.concat([documents(100), calls(100)]), 10)
    assert sum(map(len, samples_of(batch_of(chosen.samples)))) == 10
    assert sum(chosen.left_out.values()) == sum(chosen.sampled.values()) - 10
    assert sum(chosen.queued.values()) == 10


def test_what_is_no_sample_is_said_to_be_none() -> None:
    with pytest.raises(ValueError, match="not samples"):
        samples_of(spans(3))
    with pytest.raises(ValueError, match="not samples"):
        samples_of(Batch(spans(1).signal, pa.RecordBatch.from_pydict({"judge_sample": [b"{}"]})))
