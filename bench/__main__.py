"""`make bench`: what the heaviest pages cost, small and large, beside the floor.

ARGS="--small 10000 --large 1000000 --sqlite 200000 --rounds 60" are the defaults; 0 leaves a size out.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.measure import Figures, measure
from bench.stage import stage
from bench.tasks import tasks
from tests.servers import NO_POSTGRESQL, Cluster, find_postgresql, plain, wait_for_postgresql

#: What we aim for: processor time against the floor's, and large against small.
MOST_OF_FLOOR, MOST_GROWTH = 3.0, 1.3
WARM = 5
HEAD = (
    f"{'':<15}{'p50 ms':>9}{'CPU ms':>9}{'queries':>9}{'bytes':>10}"
    f"{'floor ms':>10}{'floor CPU':>11}{'CPU ratio':>11}"
)


@dataclass(frozen=True)
class Result:
    """One task at one size."""

    task: str
    ours: Figures
    floor: Figures

    @property
    def ratio(self) -> float:
        return self.ours.cpu_p50 / self.floor.cpu_p50

    def line(self) -> str:
        ours, floor = self.ours, self.floor
        return (
            f"{self.task:<15}{ours.p50:>9.2f}{ours.cpu_p50:>9.2f}{ours.statements:>9}{ours.size:>10,}"
            f"{floor.p50:>10.2f}{floor.cpu_p50:>11.2f}{self.ratio:>10.1f}x"
        )


def main() -> int:
    """Run the bench; 1 when a page misses what we aim for."""
    options = _options()
    missed: list[str] = []
    sizes = [size for size in (options.small, options.large) if size]
    if sizes:
        missed += _postgresql(sizes, options.rounds)
    if options.sqlite:
        with tempfile.TemporaryDirectory(prefix="portico-bench-") as folder:
            print("\nSQLite", flush=True)
            results = _run(f"sqlite:///{Path(folder, 'bench.sqlite3')}", options.sqlite, options.rounds)
            missed += _over_floor(results)
    for miss in missed:
        print(miss)
    print("Every page is within what we aim for." if not missed else f"{len(missed)} missed.")
    return bool(missed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--small", type=int, default=10_000, help="deals' worth of rows, on PostgreSQL")
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--sqlite", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=60)
    return parser.parse_args()


def _postgresql(sizes: list[int], rounds: int) -> list[str]:
    programs = find_postgresql()
    if not programs:
        raise SystemExit(NO_POSTGRESQL)
    cluster = Cluster(programs)
    cluster.start()
    missed: list[str] = []
    try:
        wait_for_postgresql(cluster.url, cluster.log)
        by_size = []
        for size in sizes:
            with psycopg.connect(plain(cluster.url), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE bench_{size}")
            print("\nPostgreSQL", flush=True)
            results = _run(cluster.url.replace("/postgres?", f"/bench_{size}?"), size, rounds)
            missed += _over_floor(results)
            by_size.append(results)
        if len(by_size) == 2:
            missed += _growth(*by_size)
    finally:
        cluster.stop()
    return missed


def _run(url: str, size: int, rounds: int) -> list[Result]:
    results = []
    with stage(url, size) as place:
        print(HEAD, flush=True)
        for pair in tasks(place, rounds + WARM):
            figures = measure({"ours": pair.ours, "floor": pair.floor}, rounds, WARM, pair.status)
            results.append(Result(pair.name, figures["ours"], figures["floor"]))
            print(results[-1].line(), flush=True)
    return results


def _over_floor(results: list[Result]) -> list[str]:
    return [
        f"MISSED {result.task}: {result.ratio:.1f} times the floor's processor time, aim {MOST_OF_FLOOR:g}"
        for result in results
        if result.ratio > MOST_OF_FLOOR
    ]


def _growth(small: list[Result], large: list[Result]) -> list[str]:
    missed = []
    print("\ngrowth from small to large (p50)")
    for before, after in zip(small, large, strict=True):
        growth = after.ours.p50 / before.ours.p50
        print(f"{before.task:<15}{growth:>8.2f}x")
        if growth > MOST_GROWTH:
            missed.append(f"MISSED {before.task}: {growth:.2f} times slower when large, aim {MOST_GROWTH:g}")
    return missed


if __name__ == "__main__":
    sys.exit(main())
