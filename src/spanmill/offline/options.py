"""The arguments and options of `spanmill gate`, `dataset` and `evaluate`. Imports nothing heavy: every verb's help goes
through here."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How a report is written."""

    TABLE = "table"
    JSON = "json"
    JUNIT = "junit"


Where = Annotated[
    str, typer.Option(metavar="SQL", help="Only rows for which this is true: feature = 'search'. DuckDB's dialect.")
]

Results = Annotated[
    Path,
    typer.Argument(
        metavar="RESULTS", help="What evaluate writes (Parquet, JSON lines), or what a parquet or duckdb exporter does."
    ),
]
Minimum = Annotated[
    list[str] | None,
    typer.Option(
        "--min", metavar="MEAN", help="What the mean must reach, 0 to 1; relevance=0.8 for one evaluator; may repeat."
    ),
]
OfEvaluator = Annotated[list[str] | None, typer.Option("--evaluator", metavar="NAME", help="Only this; may repeat.")]
By = Annotated[
    list[str] | None, typer.Option(metavar="COLUMN", help="Also look at each of its values: language; may repeat.")
]
Baseline = Annotated[Path | None, typer.Option(metavar="OLD", help="Results to compare with.")]
MaxDrop = Annotated[float | None, typer.Option(min=0, max=1, help="What a mean may drop from the baseline; 0.05.")]
MaxFailed = Annotated[float, typer.Option(min=0, max=1, help="The share of answers that may have failed.")]
MinCount = Annotated[int, typer.Option(min=1, help="Scores that an evaluator, or a group to be judged, must have.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="The unfavourable ends of intervals must hold, not only means and changes.")
]
Confidence = Annotated[float, typer.Option(min=0.5, max=0.9999, help="Of the intervals.")]
ReportFormat = Annotated[Format, typer.Option("--format", help="Table, JSON, or JUnit's XML.")]
ReportOutput = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the report here, and print a table.")
]

Source = Annotated[
    Path,
    typer.Argument(
        metavar="SOURCE", help="What a parquet or duckdb exporter writes, Parquet files of spans, or JSON lines."
    ),
]
DatasetOutput = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="JSON lines.")]
DatasetLimit = Annotated[int | None, typer.Option(min=1, help="Most rows to write.")]
Columns = Annotated[
    str, typer.Option(metavar="NAMES", help="Which go along as metadata: feature,language. Not given: the usual ones.")
]
NoMask = Annotated[
    bool, typer.Option("--no-mask", help="Write texts as they are stored, personal data and secrets with them.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")]

Inputs = Annotated[
    list[Path],
    typer.Argument(
        metavar="INPUT...",
        help="What a parquet or duckdb exporter writes, Parquet files, or JSON lines with input, output, context, "
        "reference.",
    ),
]
ResultsOutput = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="FILE", help="*.parquet or *.jsonl. One that is there is continued."),
]
Evaluators = Annotated[
    str, typer.Option(metavar="NAMES", help="relevance,faithfulness: of the pack, or of --evaluators-file or --config.")
]
EvaluatorsFile = Annotated[Path | None, typer.Option(metavar="YAML", help="Evaluators of your own.")]
Config = Annotated[
    list[str] | None,
    typer.Option("--config", "-c", metavar="FILE", help="Take model and evaluators from its llm_judge."),
]
Processor = Annotated[str, typer.Option(metavar="ID", help="Which llm_judge, where there are several.")]
JudgeModel = Annotated[str, typer.Option("--model", metavar="NAME", help="The model that judges.")]
BaseUrl = Annotated[str, typer.Option(metavar="URL", help="Its server, such as http://localhost:8000/v1.")]
Api = Annotated[str, typer.Option(metavar="NAME", help="openai or anthropic; openai if not given.")]
ApiKeyEnv = Annotated[
    str,
    typer.Option(metavar="VARIABLE", help="Which has the key; without --base-url OPENAI_API_KEY or ANTHROPIC_API_KEY."),
]
Concurrency = Annotated[int | None, typer.Option(min=1, help="Most questions under way; 4 if not given.")]
PerMinute = Annotated[int | None, typer.Option("--requests-per-minute", min=1, help="Most questions in a minute.")]
BudgetUsd = Annotated[float | None, typer.Option(min=0.000001, help="Most USD that this run spends.")]
Share = Annotated[float, typer.Option(min=0.000001, max=1, help="How many of the rows, always the same ones.")]
RowLimit = Annotated[int | None, typer.Option("--limit", min=1, help="Most rows to judge.")]
Labels = Annotated[
    str,
    typer.Option(
        metavar="COLUMN", help="What people found: says how far the judge agrees. relevance=COLUMN for one evaluator."
    ),
]
