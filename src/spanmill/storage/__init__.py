"""Tables on disk as Parquet files and a commit log: what the exporters into files and `spanmill query` share.

A *store* is one table's directory. Rows enter it by `Store.append`, many files or none; they are read through the
commit log (`read_state`), which names the files that count. Nothing here knows about pipelines or configuration.
"""
