"""What lies in Arrow arrays."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from spanmill.arrays import words

OF_ONE_LENGTH = st.sampled_from([8, 16, 24]).flatmap(lambda n: st.lists(st.binary(min_size=n, max_size=n), min_size=1))


@given(OF_ONE_LENGTH, st.data())
def test_values_of_one_length_are_their_bytes_eight_in_a_number(held: list[bytes], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(held) - 1))
    found = words(pa.array(held, pa.binary()).slice(start))
    assert found is not None
    assert [row.tobytes() for row in found] == held[start:]


@given(st.lists(st.one_of(st.none(), st.binary(max_size=20))))
def test_there_are_none_of_values_of_several_lengths(held: list[bytes | None]) -> None:
    lengths = {len(each or b"") for each in held}
    is_regular = len(lengths) == 1 and lengths <= {8, 16}
    assert (words(pa.array(held, pa.binary())) is not None) == is_regular
