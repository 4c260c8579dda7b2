"""The gen_ai_normalizer processor."""

from pydantic import TypeAdapter

from spanmill.batch import Batch
from spanmill.component import Settings
from spanmill.llm.dialect import Source
from spanmill.llm.normaliser import Normaliser, Options
from spanmill.processors.gen_ai_normalizer.config import GenAiNormalizerProcessorConfig

UNREADABLE = "spanmill_gen_ai_normalizer_unreadable_values"


class GenAiNormalizerProcessor:
    """Spans and log records with their LLM columns filled. Values that are not of their column's type are counted."""

    def __init__(self, config: GenAiNormalizerProcessorConfig, settings: Settings) -> None:
        self._settings = settings
        sources = TypeAdapter(tuple[Source, ...])
        custom = {name: sources.validate_python(listed) for name, listed in config.custom_mappings.items()}
        options = Options(config.dialects, custom, config.remove_originals, config.write_attributes)
        self._normalise = Normaliser(options, self._count)

    def __call__(self, batch: Batch) -> Batch:
        return self._normalise(batch)

    def _count(self, column: str, values: int) -> None:
        self._settings.metrics.counter(UNREADABLE, processor=str(self._settings.id), column=column).add(values)
