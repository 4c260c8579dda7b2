"""How long a user's pattern may be searched for in one text.

RE2 is linear for one match; a pattern that has a match at every byte and reads on to the end each time is not.
"""

import time
from typing import Final

SECONDS_PER_TEXT: Final = 0.02
SECONDS_PER_BYTE: Final = 5e-6
_STEPS_BETWEEN_CLOCKS: Final = 64


class Budget:
    """CPU time of this thread for one text: so much, and so much for each of its bytes. What is not searched when it
    is used up might hold what the user wants masked, and has to be taken for a match."""

    __slots__ = ("_end", "_steps")

    def __init__(self, text: bytes) -> None:
        self._end = time.thread_time() + SECONDS_PER_TEXT + SECONDS_PER_BYTE * len(text)
        self._steps = 0

    def is_used_up(self) -> bool:
        """To be asked after every match; looks at the clock now and then."""
        self._steps += 1
        return self._steps % _STEPS_BETWEEN_CLOCKS == 0 and time.thread_time() > self._end
