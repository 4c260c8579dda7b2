"""When the daemon looks for garbage: for what holds itself, so that nothing else frees it.

A request leaves nothing that holds its body, taken or refused. Looking at every 700th object, as Python does, costs 3 %
of the CPU of a span all the same: each batch makes thousands, which die with it. Libraries do leave such things, as
aiohttp's client does with the body of a request that cannot be sent. So it is looked for seldom, but every minute, also
where little happens.
"""

import asyncio
import gc
from contextlib import suppress
from typing import Final

_THRESHOLDS: Final = (20_000, 5, 5)
_SECONDS: Final = 60.0
_YOUNG: Final = 1
"""The generation up to which it is looked for then: what has been there for long is most likely in use."""


async def collect_until(ended: asyncio.Event, seconds: float = _SECONDS) -> None:
    """Look for garbage as a daemon that has started should, until `ended` is set. What is there now stays."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    gc.enable()
    while not ended.is_set():
        gc.collect(_YOUNG)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ended.wait()
