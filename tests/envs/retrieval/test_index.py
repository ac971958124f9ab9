"""The index of passages: exact BM25, whatever the query, in a fixed order, from files that processes share."""

from __future__ import annotations

import json
import math
import multiprocessing
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rlvr.core.errors import DataError
from rlvr.envs.retrieval import Passage, PassageIndex, indexed, open_index, read_passages
from rlvr.envs.retrieval import build as build_module
from rlvr.envs.retrieval import cache as cache_module
from rlvr.envs.retrieval import index as index_module
from rlvr.envs.retrieval.words import words_in

QUERIES = [
    "",
    " ",
    "the",
    "w1 w2 w3",
    "w900 the",
    "w1 w1 w1",
    "nothing here",
    " ".join(f"w{i}" for i in range(300)),
]


def passages(count: int = 200, seed: int = 0) -> list[Passage]:
    """Passages whose words are as frequent as words are: a few in all, most in some."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        words = [f"w{int(1000 * rng.random() ** 4)}" for _ in range(rng.randint(0, 60))]
        made.append(Passage(f"p{number:04}", rng.choice(words or [""]), " ".join(["the", *words])))
    return made


def by_definition(corpus: list[Passage], queries: list[str]) -> list[list[tuple[str, float]]]:
    """The ranking of each query by BM25, word by word, from its definition."""
    texts = {p.id: Counter(words_in(f"{p.title} {p.text}")) for p in corpus}
    mean = sum(sum(words.values()) for words in texts.values()) / len(texts)
    rankings = []
    for query in queries:
        scores: dict[str, float] = {}
        for word in dict.fromkeys(words_in(query)):
            having = [id for id, words in texts.items() if words[word]]
            idf = math.log(1 + (len(texts) - len(having) + 0.5) / (len(having) + 0.5))
            for id in having:
                times, length = texts[id][word], sum(texts[id].values())
                amount = idf * times / (times + 1.2 * (0.25 + 0.75 * length / mean))
                scores[id] = scores.get(id, 0.0) + amount
        rankings.append(sorted(scores.items(), key=lambda item: (-item[1], item[0])))
    return rankings


def test_scores_are_bm25s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare the scores with BM25's definition, also if bounds leave passages out early or late."""
    corpus = passages(150)
    plain = PassageIndex.of(corpus)
    monkeypatch.setattr(build_module, "_SHORT", 0)
    with_rows = PassageIndex.of(corpus)
    assert len(with_rows._postings.rows) > 5 > len(plain._postings.rows)
    rng = random.Random(1)
    drawn = [
        " ".join(f"w{int(1000 * rng.random() ** 3)}" for _ in range(rng.randint(1, 12)))
        for _ in range(30)
    ]
    queries = [*QUERIES[:-1], *drawn, *[f"{query} the" for query in drawn[:10]]]
    rankings = by_definition(corpus, queries)
    for some in (0, 5, 10**9):
        for few in (0, 32):
            monkeypatch.setattr(index_module, "_SOME", some)
            monkeypatch.setattr(index_module, "_FEW", few)
            for query, right in zip(queries, rankings, strict=True):
                for count in (1, 10, 1000):
                    hits = plain.search(query, count)
                    scores = [score for _, score in right[:count]]
                    assert [hit.score for hit in hits] == pytest.approx(scores, abs=1e-4)
                    assert with_rows.search(query, count) == hits
                assert {hit.passage.id for hit in hits} == {id for id, _ in right}


def test_equals_are_in_the_order_of_their_ids() -> None:
    corpus = [Passage(id, "", "the same words") for id in ("c", "a", "d", "b", "10", "9")]
    index = PassageIndex.of(corpus)
    assert [hit.passage.id for hit in index.search("same", 3)] == ["10", "9", "a"]
    assert [hit.passage.id for hit in index.search("words the", 9)] == [
        "10",
        "9",
        "a",
        "b",
        "c",
        "d",
    ]


@pytest.mark.parametrize(
    "query",
    [
        '"', "'", "AND", "NEAR(", "a AND OR NOT b", "text:w1", "*", "w1*", "{w1} - w2", "^w1", "; DROP TABLE passages; --",
        "\0", "\ud800", "w1\ud83d", "\u202e\u200b", "ﷺ" * 4000, "a" * 100_000, "w1 " * 100_000, "(" * 5000, "%s %n {0}",
        "𝔴𝟙", "ａｂｃ", "İ", "ß" * 100, "日本語の質問", "e\u0301" * 3000, "1e999", "\n\r\t",
    ],
)  # fmt: skip
def test_no_query_is_an_error(query: str) -> None:
    index = PassageIndex.of([*passages(20), Passage("j", "日本", "日本語の文章 abc w1 ss")])
    assert len(index.search(query, 5)) <= 5


def test_words_are_those_of_any_script() -> None:
    assert words_in("Évora's 3 RIVERS") == ["evora", "s", "3", "rivers"]
    assert words_in("東京へ go") == ["東", "京", "へ", "go"]
    assert words_in("_a__b_") == ["a", "b"]
    assert words_in("x" * 500) == ["x" * 64]


def test_passages_are_found_by_their_ids() -> None:
    index = PassageIndex.of(passages(50))
    assert [index.passage(p.id) for p in passages(50)] == passages(50)
    for id in ("", "p", "p0051", "\ud800", "p0001 "):
        assert index.passage(id) is None


def test_a_corpus_without_words_finds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLVR_CACHE", str(tmp_path))
    corpus = [Passage("a", "", "…"), Passage("b", "", "")]
    for index in (PassageIndex.of(corpus), open_index(corpus)):
        assert index.search("words", 5) == []
        assert index.passage("b") == corpus[1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "has 1 to"),
        ([{"text": "x", "id": "a"}, {"text": "y", "id": "a"}], "Two passages have the id 'a'"),
        ([{"text": "x"}, {"title": "y"}], "Row 2 of .*: a passage is an object with a \"text\""),
        ([{"text": 3}], "text is text, not 3"),
        ([{"text": "x", "id": "a,b"}], "can't be cited"),
        ([{"text": "x", "id": "a]"}], "can't be cited"),
        ([{"text": "x", "id": " a"}], "no white space around it"),
        ([{"text": "x", "id": ""}], "has 1 to 100 characters"),
        ([{"text": "x", "id": 1.5}], "id is text"),
        ([{"text": "x" * 1_000_001}], "over 1000000 characters"),
    ],
)  # fmt: skip
def test_rows_that_are_no_passages_are_said_to_be(
    rows: list[Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLVR_CACHE", str(tmp_path))
    with pytest.raises(DataError, match=message):
        open_index(rows)
    assert not list((tmp_path / "indexes").glob("*.part")), "nothing is left of a build that failed"


def test_files_are_read(tmp_path: Path) -> None:
    rows = [{"id": 7, "title": "T", "text": "one"}, {"text": "two"}]
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert list(read_passages(path)) == [Passage("7", "T", "one"), Passage("2", "", "two")]
    with pytest.raises(DataError, match="There's no corpus"):
        open_index(tmp_path / "nothing.jsonl")


def test_parquet_is_read(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    table = pyarrow.table({"id": ["a", "b"], "text": ["one", "two"]})
    parquet.write_table(table, tmp_path / "corpus.parquet")
    assert [passage.text for passage in read_passages(tmp_path / "corpus.parquet")] == [
        "one",
        "two",
    ]


def test_an_index_is_built_once_per_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLVR_CACHE", str(tmp_path))
    built: list[Any] = []
    build = cache_module._build
    monkeypatch.setattr(cache_module, "_build", lambda *a: (built.append(1), build(*a)))
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"text": "one"}\n')
    first = indexed(path)
    assert indexed(path) == first
    assert indexed(str(path)) == first
    assert len(built) == 1
    path.write_text('{"text": "two"}\n')
    assert indexed(path) != first
    assert open_index(path).search("two", 1)[0].passage.text == "two"
    assert open_index([{"text": "two"}]).search("two", 1)[0].passage.id == "1"
    assert len(built) == 3


def test_threads_search_side_by_side() -> None:
    index = PassageIndex.of(passages())
    queries = [f"w{number} w{number // 3} the" for number in range(60)]
    alone = [index.search(query, 10) for query in queries]
    with ThreadPoolExecutor(8) as threads:
        for _ in range(5):
            assert list(threads.map(lambda query: index.search(query, 10), queries)) == alone


def _search(arguments: tuple[str, str]) -> list[tuple[str, float]]:
    path, query = arguments
    return [(hit.passage.id, hit.score) for hit in open_index(path).search(query, 10)]


def test_processes_build_it_once_and_find_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLVR_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "corpus.jsonl"
    rows = [{"id": p.id, "title": p.title, "text": p.text} for p in passages()]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    queries = [(str(path), f"w{number} the") for number in range(8)]
    with multiprocessing.get_context("forkserver").Pool(4) as pool:
        others = pool.map(_search, queries, chunksize=1)
    assert others == [_search(query) for query in queries]
    folders = [folder for folder in (tmp_path / "cache" / "indexes").iterdir() if folder.is_dir()]
    assert len(folders) == 1
    assert not list(folders[0].parent.glob("*.part"))


def test_a_damaged_index_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLVR_CACHE", str(tmp_path))
    folder = indexed([{"text": "a damaged one"}])
    (folder / "passages.jsonl").write_text("")
    with pytest.raises(DataError, match="Remove that folder"):
        cache_module.opened(folder)
