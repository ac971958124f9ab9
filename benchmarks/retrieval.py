"""Measure searches of a corpus on one core: the bar is 2,000 queries per second over 100,000 passages.

    python benchmarks/retrieval.py [--passages 100000] [--queries 3000] [--fts5 20]

The corpus is made on the spot. Its words are as frequent as words are (Zipf's law: the most frequent one is in nearly every
passage), and a quarter of a passage's words are of its topic. A query has 8 to 14 words of one passage, about half of them
among the hundred most frequent ones, as in a question. Printed: the time to build the index, its size, the time to open it,
queries per second and the 50th and 99th percentile of a query's time, with its passages read. `--fts5 N` also measures
N of the queries on SQLite's FTS5, whose words are joined by OR.
"""

from __future__ import annotations

import argparse
import contextlib
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from rlvr.envs.retrieval import Passage, PassageIndex

WORDS = 150_000
FUNCTION_WORDS = 100
TOPICS = 4_000


def vocabulary() -> list[str]:
    """Return words, the short ones first."""
    syllables = [a + b for a in "bcdfghjklmnprstvwz" for b in "aeiou"]
    words, longer = list(syllables), syllables
    while len(words) < WORDS:
        longer = [word + syllable for word in longer for syllable in syllables]
        words += longer[: WORDS - len(words)]
    return words


def corpus(count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield the numbers of each passage's words; a word's number is the rank of its frequency."""
    shares = np.cumsum(1 / (np.arange(WORDS) + 2.7))
    shares /= shares[-1]
    topics = rng.integers(1_000, WORDS, size=(TOPICS, 40))
    while count > 0:
        chunk = min(count, 2_000)
        drawn = np.searchsorted(shares, rng.random((chunk, 140)))
        topic = topics[rng.integers(TOPICS, size=chunk)]
        own = np.take_along_axis(topic, rng.integers(40, size=(chunk, 140)), axis=1)
        drawn = np.where(rng.random((chunk, 140)) < 0.25, own, drawn)
        for row, length in zip(drawn, rng.integers(60, 141, size=chunk), strict=True):
            yield row[:length]
        count -= chunk


def queries(
    rows: Sequence[np.ndarray], words: Sequence[str], count: int, rng: np.random.Generator
) -> list[str]:
    """Return questions: half of a passage's frequent words, half of its others."""
    made = []
    for _ in range(count):
        row = rows[int(rng.integers(len(rows)))]
        frequent, others = row[row < FUNCTION_WORDS], row[row >= FUNCTION_WORDS]
        length = int(rng.integers(8, 15))
        chosen = [
            *rng.choice(frequent, min(length // 2, len(frequent)), replace=False),
            *rng.choice(others, min(length - length // 2, len(others)), replace=False),
        ]
        made.append(" ".join(words[number] for number in chosen))
    return made


def measured(name: str, search: Callable[[str], object], asked: Sequence[str]) -> None:
    """Print the speed of a search."""
    for query in asked[:50]:
        search(query)
    seconds = []
    processor = time.process_time()
    for query in asked:
        begun = time.perf_counter()
        search(query)
        seconds.append(time.perf_counter() - begun)
    processor = time.process_time() - processor
    p50, p99 = np.quantile(seconds, [0.5, 0.99]) * 1000
    print(
        f"{name}: {len(asked) / sum(seconds):,.0f} queries/s ({len(asked) / processor:,.0f} per processor second); "
        f"p50 {p50:.2f} ms, p99 {p99:.2f} ms"
    )


def fts5(texts: Sequence[str]) -> Callable[[str], object]:
    """Return a search by SQLite's FTS5."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE passages USING fts5(text)")
    connection.executemany("INSERT INTO passages (text) VALUES (?)", ((text,) for text in texts))
    connection.execute("INSERT INTO passages (passages) VALUES ('optimize')")
    sql = "SELECT text FROM passages WHERE passages MATCH ? ORDER BY rank LIMIT 5"
    return lambda query: connection.execute(
        sql, [" OR ".join(f'"{word}"' for word in query.split())]
    ).fetchall()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=3_000)
    parser.add_argument("--fts5", type=int, default=0, metavar="N")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    words = vocabulary()
    rows = list(corpus(options.passages, rng))
    asked = queries(rows, words, options.queries, rng)
    texts = [" ".join(map(words.__getitem__, row.tolist())) for row in rows]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        begun, processor = time.perf_counter(), time.process_time()
        PassageIndex.of(Passage(f"p{i}", "", text) for i, text in enumerate(texts)).write(folder)
        built, processor = time.perf_counter() - begun, time.process_time() - processor
        size = sum(file.stat().st_size for file in folder.iterdir())
        begun = time.perf_counter()
        index = PassageIndex.open(folder)
        opened = time.perf_counter() - begun
        print(
            f"{options.passages:,} passages: built in {built:.1f} s ({processor:.1f} s of a processor), "
            f"{size / 1e6:,.0f} MB, opened in {1000 * opened:.1f} ms"
        )
        measured("rlvr", lambda query: index.search(query, 5), asked)
    if options.fts5:
        measured("fts5", fts5(texts), asked[: options.fts5])


if __name__ == "__main__":
    main()
