"""Several people who do something at the very same moment."""

import threading
from collections.abc import Callable, Sequence

from flask import Flask

from tests.contexts import apart


def at_once(app: Flask, works: Sequence[Callable[[], object]]) -> list[object]:
    """Each work in a thread and an application context of its own; what came back, errors included."""
    came: list[object] = []
    start = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        with app.app_context():
            start.wait()
            try:
                came.append(work())
            except Exception as error:
                came.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]

    def all_of_them() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    apart(all_of_them)
    return came
