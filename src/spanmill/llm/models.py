"""Which model a call was of, where one name has to do."""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from spanmill.batch import Batch

UNKNOWN: Final = "unknown"


def models_of(batch: Batch) -> pa.StringArray:
    """For each span the model that was asked for, else the one that answered, else `unknown`."""
    return pc.coalesce(batch.column("request_model"), batch.column("response_model"), pa.scalar(UNKNOWN))
