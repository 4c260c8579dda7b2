"""Resident memory that a test sets, in place of the process's own."""

from spanmill.memory_guard import Limits, MemoryGuard, Watch


class FakeMemory:
    """`held` bytes are resident; giving back takes `freed` off them."""

    def __init__(self, held: float = 0, freed: float = 0) -> None:
        self.held, self.freed, self.given_back, self.reads = held, freed, 0, 0

    def read(self) -> float:
        self.reads += 1
        return self.held

    def give_back(self) -> None:
        self.given_back += 1
        self.held -= self.freed

    def watch(self, soft: int = 80, hard: int = 100) -> Watch:
        return Watch(Limits(soft, hard), self.read, self.give_back)

    def put_into(self, guard: MemoryGuard) -> None:
        """Have a guard look here, with the limits that it has."""
        guard.watch = Watch(guard.watch.limits, self.read, self.give_back)
