"""Timing one task on several applications in turn, so that whatever else the machine does hits all alike."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import event
from sqlalchemy.engine import Engine
from werkzeug.test import TestResponse

#: Makes the request of one round ready, untimed, and gives the call to time.
Task = Callable[[int], Callable[[], TestResponse]]


@dataclass
class Figures:
    """What one task cost on one application, round by round."""

    milliseconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  #: milliseconds of this thread's processor time
    queries: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)  #: bytes of the body, unpacked

    @property
    def p50(self) -> float:
        return statistics.median(self.milliseconds)

    @property
    def cpu_p50(self) -> float:
        return statistics.median(self.cpu)

    @property
    def statements(self) -> int:
        return int(statistics.median(self.queries))

    @property
    def size(self) -> int:
        return int(statistics.median(self.sizes))


def measure(tasks: dict[str, Task], rounds: int, warm: int, status: int) -> dict[str, Figures]:
    """Time each application's task `rounds` times, in turn; the first `warm` rounds do not count.

    Raises RuntimeError when an answer has another status: only right answers are timed.
    """
    figures = {name: Figures() for name in tasks}
    for number in range(warm + rounds):
        for name, task in tasks.items():
            call = task(number)
            with _counting() as statements:
                began, cpu = time.perf_counter(), time.thread_time()
                answer = call()
                cpu, took = time.thread_time() - cpu, time.perf_counter() - began
            if answer.status_code != status:
                raise RuntimeError(f"{name}: {answer.status_code} {answer.request.path}\n{answer.text[:800]}")
            if number >= warm:
                figures[name].milliseconds.append(took * 1000)
                figures[name].cpu.append(cpu * 1000)
                figures[name].queries.append(len(statements))
                figures[name].sizes.append(len(answer.data))
    return figures


@contextmanager
def _counting() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)
