"""Configuration of evaluators: one of the pack by its name, or one's own.

What needs templates, columns and SQL to be understood is checked by `misfits.evaluator_misfits`.
"""

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, GetJsonSchemaHandler, field_validator, model_validator
from pydantic.functional_validators import BeforeValidator
from pydantic.json_schema import WithJsonSchema
from pydantic_core import CoreSchema

from spanmill.config.base import Model
from spanmill.config.values import Flag, Positive, Share, invalid

_ATTRIBUTE: Final = re.compile(r"""attributes\[\s*(?:'([^']+)'|"([^"]+)")\s*\]""")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}", re.ASCII)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class SourceConfig(Model):
    """Where a variable comes from: `output`, `attributes['app.policy']`, or a map."""

    column: str | None = None
    """A column of `spans`, or `question`: what the user said last in `input`."""
    attribute: str | None = None
    """The name of an attribute."""
    operation: str | None = None
    """Not the judged span, but those spans of its trace that do this: `retrieval`, `execute_tool`, ..."""
    max_characters: Positive | None = None
    """What is longer is cut in the middle. None: the evaluator's own `max_characters`."""

    @model_validator(mode="before")
    @classmethod
    def shorthand(cls, data: Any) -> Any:
        if isinstance(data, str):
            found = _ATTRIBUTE.fullmatch(data.strip())
            return {"attribute": found[1] or found[2]} if found else {"column": data.strip()}
        if not isinstance(data, dict) or "from" not in data:
            return data
        if data["from"] not in ("trace", "span"):
            raise invalid("not where spans are from", "trace, with an `operation`, or span", key="from")
        if data["from"] == "trace" and not data.get("operation"):
            hint = "Write {from: trace, operation: retrieval, column: documents}."
            raise invalid("it is not said which spans of the trace", "`operation`", hint)
        if data["from"] == "span" and data.get("operation"):
            raise invalid("`operation` is for other spans of the trace", "`from: trace`", key="from")
        return {key: value for key, value in data.items() if key != "from"}

    @model_validator(mode="after")
    def one_place(self) -> Self:
        if (self.column is None) == (self.attribute is None):
            raise invalid("a variable has one source", "either `column` or `attribute`")
        return self


def _sources(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Sources = Annotated[
    tuple[SourceConfig, ...],
    BeforeValidator(_sources),
    Field(min_length=1),
    WithJsonSchema({"type": ["string", "object", "array"]}),
]
"""One source, or several of which the first that has a value counts."""


class ScaleConfig(Model):
    """What the judge may answer. Scores are 0 to 1, higher is better, whatever the scale."""

    type: Literal["number", "boolean", "category"]
    """A number in `range`, true or false, or one of `labels`."""
    range: tuple[float, float] = (0.0, 1.0)
    """Of a number: the lowest and the highest answer. They become 0 and 1."""
    lower_is_better: Flag = False
    """Of a number or a boolean: the lowest answer, or false, is the best and becomes 1."""
    labels: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    """Of a category: each label's score, from 0 to 1."""

    @field_validator("labels", mode="before")
    @classmethod
    def with_scores(cls, labels: Any) -> Any:
        expected = "a map of labels and their scores from 0 to 1"
        if isinstance(labels, list | tuple) or (isinstance(labels, dict) and None in labels.values()):
            raise invalid("the labels have no scores", expected, "Write {good: 1, fair: 0.5, bad: 0}.")
        if isinstance(labels, dict) and not all(isinstance(label, str) for label in labels):
            raise invalid("a label is not a text", expected, "Put labels such as yes, no and 1 in quotes.")
        return labels

    @model_validator(mode="after")
    def fits_its_type(self) -> Self:
        if self.type != "number" and "range" in self.model_fields_set:
            raise invalid(f"a {self.type} has no range", "`range` with `type: number` only", key="range")
        if self.type == "number" and not self.range[0] < self.range[1]:
            hint = "For a scale on which low numbers are good write `lower_is_better: true`."
            raise invalid("the range is empty", "the lower number first", hint, key="range")
        if self.type != "category" and self.labels:
            raise invalid(f"a {self.type} has no labels", "`labels` with `type: category` only", key="labels")
        if self.type == "category":
            self._check_labels()
        return self

    def _check_labels(self) -> None:
        if self.lower_is_better:
            raise invalid("each label says what it is worth", "no `lower_is_better`", key="lower_is_better")
        if len(self.labels) < 2 or len(set(self.labels.values())) < 2:
            raise invalid("the labels leave no choice", "two labels or more, with different scores", key="labels")
        if len({label.strip().casefold() for label in self.labels}) < len(self.labels):
            raise invalid("two labels differ only in case", "labels that nobody mixes up", key="labels")


class EvaluatorConfig(Model):
    """An evaluator: the name of one of the pack, or a map. Either `use`, with what is to be different, or one's own:
    `name`, a template, `scale`."""

    use: str | None = None
    """One of the pack, with its wording and its scale: `relevance`, `faithfulness`, `safety`, ..."""
    name: str | None = None
    """What its scores are called. None: as in `use`."""
    template: str | None = None
    """What the judge is asked: criteria, what each mark means, and `{{variables}}` where the material is to stand.
    What stands between `{{#context}}` and `{{/context}}` is left out where there is no `context`. How to answer, and
    that material is no instruction, is added in front and behind."""
    template_file: str | None = None
    """The same in a file of its own."""
    templates: dict[str, str] = Field(default_factory=dict)
    """The same in several languages: `{en: ..., ko: ...}`."""
    language: str = "auto"
    """Which of the languages; `auto`: that of the column `language`, else told by the script, else `en`."""
    variables: dict[str, Sources] = Field(default_factory=dict)
    """Where the template's variables come from: `{answer: output, context: [documents, {from: trace, operation:
    retrieval, column: documents}]}`. One that is not named here is the column of its name."""
    scale: ScaleConfig | None = None
    """What the judge may answer."""
    threshold: float | None = None
    """Scores below it have failed; from 0 to 1, where 1 is the best, whatever the scale. None: nothing fails."""
    model: str | None = None
    """Another model than the judge's usual one, at the same endpoint."""
    share: Share | None = None
    """Of the spans that fit, how many are judged: 0.05 is one in twenty. The same ones whenever they come again."""
    choose_by: Literal["span", "trace"] = "span"
    """Whether spans are chosen one by one, or whole traces."""
    where: str | None = None
    """A SQL condition over `spans`: which spans fit. None: calls of models that have an output."""
    max_characters: Positive = 20_000
    """Of each variable. What is longer is cut in the middle."""

    @model_validator(mode="before")
    @classmethod
    def plain_name(cls, data: Any) -> Any:
        return {"use": data} if isinstance(data, str) else data

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [handler(schema), {"type": "string"}]}

    @field_validator("name")
    @classmethod
    def is_a_label(cls, name: str | None) -> str | None:
        if name is not None and not _NAME.fullmatch(name):
            raise invalid("not a name", "letters, digits, _, - and dots, at most 64 of them")
        return name

    @field_validator("language")
    @classmethod
    def is_a_language(cls, language: str) -> str:
        if language != "auto" and not _LANGUAGE.fullmatch(language):
            raise invalid("not a language", "auto, or a code of two or three letters such as en, ko, ja")
        return language

    @field_validator("templates")
    @classmethod
    def are_languages(cls, templates: dict[str, str]) -> dict[str, str]:
        for language in templates:
            if not _LANGUAGE.fullmatch(language):
                raise invalid(f'"{language}" is not a language', "codes of two or three letters such as en, ko, ja")
        return templates

    @field_validator("variables")
    @classmethod
    def are_names(cls, variables: dict[str, Any]) -> dict[str, Any]:
        for name in variables:
            if not _VARIABLE.fullmatch(name):
                raise invalid(f'"{name}" is not a variable\'s name', "letters, digits and _")
        return variables

    @model_validator(mode="after")
    def one_wording(self) -> Self:
        keys = ("use", "template", "template_file", "templates")
        written = [key for key in keys if getattr(self, key)]
        if len(written) != 1:
            problem = f"both `{written[0]}` and `{written[1]}` are written" if written else "nothing is asked"
            raise invalid(problem, "one of `use`, `template`, `template_file` and `templates`")
        if self.use is None and self.name is None:
            raise invalid("the evaluator has no name", "`name`")
        if self.use is None and self.scale is None:
            raise invalid("it is not said what the judge may answer", "`scale`", "Write scale: {type: boolean}.")
        if self.use is not None and self.scale is not None:
            hint = "Write an evaluator of your own, with `name`, `template` and `scale`."
            raise invalid("an evaluator of the pack has its own scale", "no `scale`", hint, key="scale")
        return self
