"""What is left to the garbage collector, which looks seldom."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def frames_left() -> Iterator[list[str]]:
    """Functions of ours whose frames, with all their variables, are unreachable at the end and not freed."""
    left: list[str] = []
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield left
        gc.collect()
        left += [each.f_code.co_qualname for each in gc.garbage if isinstance(each, FrameType) and _is_ours(each)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith("spanmill.")
