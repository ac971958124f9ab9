"""How much planted contamination `rlvr data decontaminate` finds, how fast, in how much memory.

    RLVR_DATA=… python benchmarks/decontamination.py [--rows 100000 1000000] [--real]

Synthetic: word problems of a grammar, all different; 1% of the rows are planted problems of a
synthetic evaluation set of 2,000, as they are (exact) or paraphrased by the rules below, half and half. A row
that was not planted and is removed counts against precision. Real: GSM8K and MATH as they are, and
GSM8K's test set paraphrased, planted in its train set. Memory is the peak of the command's process.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

NAMES = [
    "Ana",
    "Ben",
    "Chloe",
    "Dmitri",
    "Elif",
    "Farid",
    "Grace",
    "Hiro",
    "Ines",
    "Jamal",
    "Kofi",
    "Lena",
    "Mateo",
    "Nadia",
    "Omar",
    "Priya",
]
OTHER_NAMES = ["Ulla", "Viktor", "Wanda", "Xavier", "Yusuf", "Zora", "Adele", "Bruno"]
THINGS = [
    "apples",
    "marbles",
    "stamps",
    "candles",
    "notebooks",
    "ribbons",
    "kites",
    "bricks",
    "shells",
    "postcards",
    "lanterns",
    "muffins",
    "tulips",
    "screws",
    "buttons",
    "magnets",
    "melons",
    "pencils",
    "batteries",
    "tickets",
]
KINDS = [
    "red",
    "small",
    "wooden",
    "heavy",
    "old",
    "shiny",
    "cheap",
    "striped",
    "round",
    "spare",
    "green",
    "painted",
]
TIMES = ["before noon", "after school", "in spring", "at night", "during the fair", "last week"]
PLACES = [
    "market",
    "harbour",
    "library",
    "bakery",
    "station",
    "workshop",
    "garden",
    "museum",
    "stadium",
    "factory",
    "orchard",
    "theatre",
]
OPENINGS = (
    "{a} carries {n} {c} {x} from the {p} to the {q} every {day}.",
    "At the {p}, {t}, {a} finds {n} boxes with {m} {x} in each of them.",
    "{a} had {n} {x} and lost {m} of them {t} on the way to the {p}.",
    "The owner of the {p} pays {a} ${n} for every {m} {c} {x} delivered before {day}.",
    "On {day} {a} counted {n} {x} behind the {p} and {m} more beside the {q}.",
    "A truck bound for the {p} holds {n} crates, and every crate holds {m} {c} {x}.",
    "{t}, {a} sold {n} {x} at the {p}, which were {m} fewer than on {day}.",
    "The {p} opens at {n} o'clock; {m} people with {c} {x} are waiting for {a}.",
)
MIDDLES = (
    "Afterwards {b} takes away {k} {d} {y} and brings back {j} {z}.",
    "{b} works there too, but packs only {k} {y} an hour {t2}.",
    "Half of the {d} {y} are broken, so {b} throws out {k} of them near the {r}.",
    "Each of the {k} visitors from the {r} gets {j} {y} as a present from {b}.",
    "By {day2} the price of the {d} {y} has risen by {k} percent, says {b}.",
    "{b} trades {k} {y} for {j} {d} {z} at the {r}.",
    "A {d} cart with {k} {y} needs {j} minutes to the {r}, and {b} has three carts.",
    "{t2} the {r} lends {b} {k} {z}, {j} of which are {d}.",
)
ENDINGS = (
    "{b} keeps {i} {z} for {day2}.",
    "There's room for {i} {d} {z} in the {r}.",
    "{a} gives {i} percent of the {c} {x} to {b} {t2}.",
    "A storm ruins {i} of the {z} behind the {q}.",
    "Twice {i} {z} go to the {q} by train.",
)
QUESTIONS = (
    "How many {x} are left in the {q} in the end?",
    "What is the total number of {x}, {y} and {z}?",
    "How much money does {a} earn in a week with {x}?",
    "How many more {x} than {z} does {b} own now?",
    "What fraction of the {d} {y} belongs to {b}?",
    "How many hours does {a} need for all {c} {x}?",
)
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
NUMBERS = {
    "Two",
    "Three",
    "Four",
    "Five",
    "Six",
    "Seven",
    "Eight",
    "Nine",
    "Ten",
    "Eleven",
    "Twelve",
    "Twenty",
}
SYNONYMS = {
    "many": "numerous", "total": "overall", "every": "each", "each": "every", "bought": "purchased",
    "buys": "purchases", "carries": "hauls", "finds": "discovers", "lost": "misplaced", "money": "cash",
    "earn": "make", "holds": "contains", "counted": "tallied", "left": "remaining", "more": "additional",
    "brings": "fetches", "takes": "removes", "packs": "wraps", "broken": "damaged", "gets": "receives",
    "price": "cost", "big": "large", "number": "count", "sold": "vended", "gave": "handed",
    "friends": "pals", "day": "date", "house": "home", "needs": "requires", "spends": "uses",
}  # fmt: skip
INSERTED = (
    "The weather was mild and nobody was in a hurry.",
    "Please think about it carefully.",
    "This happened a while ago in a small town.",
    "Everyone in the family likes to talk about it.",
)
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+\b|^[A-Z][a-z]+(?= [a-z]+s )")


def problem(rng: random.Random) -> str:
    values = {k: str(rng.randint(2, 99)) for k in "nmkji"}
    for keys, words in (
        (("a", "b"), NAMES),
        (("x", "y", "z"), THINGS),
        (("p", "q", "r"), PLACES),
        (("c", "d"), KINDS),
        (("t", "t2"), TIMES),
        (("day", "day2"), DAYS),
    ):
        values |= dict(zip(keys, rng.sample(words, len(keys)), strict=True))
    parts = [OPENINGS, MIDDLES, ENDINGS, QUESTIONS]
    return " ".join(rng.choice(part) for part in parts).format(**values)


def swap_words(text: str, rng: random.Random) -> str:
    return re.sub(
        r"[a-z]+", lambda m: SYNONYMS.get(m[0], m[0]) if rng.random() < 0.7 else m[0], text
    )


def insert(text: str, rng: random.Random) -> str:
    sentences = re.split(r"(?<=[.?!]) ", text)
    sentences.insert(rng.randrange(len(sentences)), rng.choice(INSERTED))
    return " ".join(sentences)


def reorder(text: str, rng: random.Random) -> str:
    """Put the question first, or swap two sentences."""
    sentences = re.split(r"(?<=[.?!]) ", text)
    if len(sentences) < 2:
        return text
    i, j = rng.sample(range(len(sentences)), 2)
    sentences[i], sentences[j] = sentences[j], sentences[i]
    return " ".join(sentences)


def rename(text: str, rng: random.Random) -> str:
    """Another name for each; days and numbers that begin with a capital aren't names."""
    others = rng.sample(OTHER_NAMES, len(OTHER_NAMES))
    names = sorted(set(_NAME.findall(text)) - set(DAYS) - NUMBERS)
    for name, other in zip(names, others, strict=False):
        text = re.sub(rf"\b{name}\b", other, text)
    return text


def restyle(text: str, rng: random.Random) -> str:
    text = rng.choice([str.upper, str.lower, str])(text)
    text = re.sub(r",(?!\d)", rng.choice([" –", ";", ","]), text)  # not those in numbers
    return re.sub(r"\.(?!\d)", rng.choice([" .", "!", "."]), text)


RULES = {
    "words": swap_words,
    "inserted": insert,
    "reordered": reorder,
    "names": rename,
    "style": restyle,
}


def paraphrase(text: str, rng: random.Random) -> tuple[str, list[str]]:
    """By two to five of the rules, all different from the text."""
    while True:
        chosen = rng.sample(list(RULES), rng.randint(2, len(RULES)))
        # The style last: it may take away the capitals by which names and sentences are known.
        chosen.sort(key=list(RULES).index)
        changed = text
        for rule in chosen:
            changed = RULES[rule](changed, rng)
        if changed != text:
            return changed, chosen


def synthetic(rows: int, seed: int) -> tuple[list[str], Iterator[tuple[str, str]]]:
    """Return an evaluation set, and the rows with their kind: clean, exact or paraphrased."""
    rng = random.Random(seed)
    seen: set[int] = set()  # hashes, so that a million distinct prompts take little

    def new() -> str:
        while True:
            made = problem(rng)
            if hash(made) not in seen:
                seen.add(hash(made))
                return made

    evaluation = [new() for _ in range(2000)]
    planted = set(random.Random(seed + 1).sample(range(rows), rows // 100))

    def stream() -> Iterator[tuple[str, str]]:
        for i in range(rows):
            if i not in planted:
                yield "clean", new()
            elif rng.random() < 0.5:
                yield "exact", rng.choice(evaluation)
            else:
                yield "paraphrased", paraphrase(rng.choice(evaluation), rng)[0]

    return evaluation, stream()


def measure(name: str, folder: Path, train: Path, kinds: list[str], evals: list[str]) -> None:
    """Run the command and print a line of the table."""
    clean, matches = folder / "clean.jsonl", folder / "matches.jsonl"
    command = [sys.executable, "-m", "rlvr", "data", "decontaminate", str(train), "-o", str(clean),
               "--matches", str(matches)]  # fmt: skip
    for one in evals:
        command += ["--against", one]
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    said = process.stderr.read() if process.stderr else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if process.returncode not in (0, 4):
        raise SystemExit(said)
    found: dict[int, str] = {}
    for line in matches.open():
        row = json.loads(line)
        found.setdefault(row["line"], row["method"])
    total, hit = Counter(kinds), Counter(kinds[line - 1] for line in found)
    true = hit["exact"] + hit["paraphrased"]
    recall = {
        k: f"{100 * hit[k] / total[k]:.2f}%" if total[k] else "-" for k in ("exact", "paraphrased")
    }
    precision = f"{100 * true / len(found):.2f}%" if total["exact"] and found else "-"
    print(
        f"| {name} | {len(kinds)} | {recall['exact']} | {recall['paraphrased']} | {precision} | "
        f"{hit['clean']} | {len(kinds) / seconds:.0f} | {seconds:.1f} | {usage.ru_maxrss / 1024:.0f} | "
        f"{len(kinds) / (usage.ru_utime + usage.ru_stime):.0f} | "
        f"{dict(Counter(found[line] for line in found if kinds[line - 1] == 'clean'))} |",
        flush=True,
    )


def write(path: Path, prompts: Iterator[tuple[str, str]]) -> list[str]:
    kinds = []
    with path.open("w") as out:
        for kind, text in prompts:
            kinds.append(kind)
            out.write(json.dumps({"prompt": text}) + "\n")
    return kinds


def real(folder: Path, data: Path) -> None:
    """GSM8K and MATH as they are, and GSM8K with its test set planted."""
    train, test = data / "math/gsm8k_train.jsonl", data / "math/gsm8k_test.jsonl"
    questions = {p: [json.loads(line)["question"] for line in p.open()] for p in (train, test)}
    file = folder / "train.jsonl"
    kinds = write(file, (("clean", q) for q in questions[train]))
    measure("GSM8K train / GSM8K test", folder, file, kinds, [str(test)])
    rng = random.Random(0)
    rows = [("clean", q) for q in questions[train]]
    rows += [("exact", q) for q in questions[test]]
    rows += [("paraphrased", paraphrase(q, rng)[0]) for q in questions[test]]
    kinds = write(file, iter(rows))
    measure("GSM8K train + test planted / GSM8K test", folder, file, kinds, [str(test)])
    math500 = str(data / "math/MATH500_prime.json")
    problems = json.loads((data / "math/rllm_train_math.json").read_text())
    kinds = write(file, (("clean", row["problem"]) for row in problems))
    measure("rLLM's MATH train / MATH500", folder, file, kinds, [math500])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--real", action="store_true", help="GSM8K and MATH of RLVR_DATA, too.")
    options = parser.parse_args()
    print("| data | rows | exact found | paraphrased found | precision | clean removed | rows/s | s | "
          "peak MiB | clean removed by |")  # fmt: skip
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if options.real:
            real(folder, Path(os.environ["RLVR_DATA"]))
        for rows in options.rows:
            evaluation, prompts = synthetic(rows, seed=rows)
            held_out = folder / "eval.jsonl"
            write(held_out, (("", text) for text in evaluation))
            file = folder / "train.jsonl"
            kinds = write(file, prompts)
            measure(f"synthetic, {rows}", folder, file, kinds, [str(held_out)])


if __name__ == "__main__":
    main()
