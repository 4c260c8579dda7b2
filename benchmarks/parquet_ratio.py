"""CPU of the whole path, from OTLP on a socket to Parquet, against `pyarrow.parquet.write_table` of the same rows.

    python benchmarks/parquet_ratio.py

Both are measured in one run: the rows are read back from what the collector wrote, and written again by one call with
the same compression. Aim: at most 3 times the bare write for LLM-sized spans.
"""

import time
from pathlib import Path

import payloads
import pyarrow as pa
import pyarrow.parquet as pq
from measuring import Case, measure, working_directory
from rich.console import Console
from rich.progress import track
from rich.table import Table

_CASES = {
    "500 light spans a request (0.35 KB)": Case("grpc", 500, payloads.LIGHT, 400),
    "500 LLM spans a request (1.3 KB)": Case("grpc", 500, payloads.LLM, 200),
    "50 long LLM spans a request (100 KB)": Case("grpc", 50, payloads.HUGE, 24),
}
_ROUNDS = 3


def write_seconds(table: pa.Table, path: Path) -> float:
    """CPU of one `write_table`, the best of three."""
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time()
        pq.write_table(table, path, compression="zstd")
        best = min(best, time.process_time() - began)
    return best


def main() -> None:
    table = Table(title="server process against pyarrow.parquet.write_table, us of CPU per span", title_justify="left")
    for heading in ("load", "whole path", "bare write", "ratio"):
        table.add_column(heading, justify="left" if heading == "load" else "right")
    for name, case in track(_CASES.items(), "measuring", transient=True):
        with working_directory() as directory:
            whole = measure(case, directory).microseconds_per_span(case)
            files = sorted((directory / "parquet" / "spans").rglob("*.parquet"))
            rows = pa.concat_tables([pq.ParquetFile(file).read() for file in files])
            bare = write_seconds(rows, directory / "bare.parquet") * 1e6 / rows.num_rows
        table.add_row(name, f"{whole:.2f}", f"{bare:.2f}", f"{whole / bare:.1f}")
    console = Console()
    console.print(table)
    console.print("aim: at most 3 for LLM-sized spans")


if __name__ == "__main__":
    main()
