"""The arguments and options of `spanmill replay`. Imports nothing heavy: every verb's help goes through here."""

from pathlib import Path
from typing import Annotated

import typer

from spanmill.generate.options import Protocol as OtlpProtocol
from spanmill.signal import Signal as OtlpSignal

Sources = Annotated[
    list[Path],
    typer.Argument(
        metavar="SOURCE...",
        help="Dead letters (files, or their directory), what a parquet or duckdb exporter writes (or one of its "
        "files), a journal's directory or that of one pipeline. A journal may be in use.",
    ),
]
To = Annotated[
    str,
    typer.Option(
        "--to", metavar="ENDPOINT", help="host:port or a URL. Without a scheme TLS is spoken, but not to localhost."
    ),
]
Protocol = Annotated[
    OtlpProtocol | None, typer.Option(help="OTLP's protocol; by default HTTP for a URL, unless its port is 4317.")
]
Header = Annotated[
    list[str] | None, typer.Option(metavar="NAME=VALUE", help="Send this with every request; may be repeated.")
]
Insecure = Annotated[bool, typer.Option("--insecure", help="Speak plain text.")]
CaFile = Annotated[Path | None, typer.Option(help="Certificates that sign the server's, PEM.")]
CertFile = Annotated[Path | None, typer.Option(help="Our certificate, PEM.")]
KeyFile = Annotated[Path | None, typer.Option(help="Its key, PEM.")]
Config = Annotated[
    list[str] | None,
    typer.Option("--config", "-c", metavar="FILE", help="Send to an exporter of this configuration, not --to."),
]
Exporter = Annotated[
    str,
    typer.Option(metavar="ID", help="Which; by default dead letters go to the exporter that gave them up."),
]
Signal = Annotated[list[OtlpSignal] | None, typer.Option(help="Only this signal; may be repeated.")]
Since = Annotated[
    str,
    typer.Option(
        metavar="TIME",
        help="From this time on: 2026-01-31T12:00:00Z, or 2h ago. Of stored rows their own time, of a journal's "
        "records when they were taken, of dead letters when they were given up.",
    ),
]
Until = Annotated[str, typer.Option(metavar="TIME", help="Before this time.")]
First = Annotated[int | None, typer.Option(min=1, help="The first record of a journal.")]
Last = Annotated[int | None, typer.Option(min=1, help="The last one.")]
Where = Annotated[str, typer.Option(metavar="SQL", help="Only items for which this is true: status_code = 'error'.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count, and send nothing.")]
Rate = Annotated[float, typer.Option(min=0, help="Most items a second; 0: as fast as they are taken.")]
Delete = Annotated[bool, typer.Option("--delete", help="Delete dead letters that were delivered.")]
GiveUpAfter = Annotated[
    str, typer.Option(metavar="DURATION", help="Stop when one request was tried for so long; 0: never.")
]
