"""Cleaning against datatrove: the same verdicts and reasons? and how fast, on one core, on the same documents?

    python -m benchmarks.cleaning --rivals RIVALS/bin/python [--documents 20000] [--seed 1] PATH…

PATHs hold real documents (`benchmarks.documents`); a seeded sample of them is judged by both. RIVALS is an environment
with benchmarks/rivals/requirements.txt.
"""

import argparse
import json
import random
import resource
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.documents import documents
from dataprep.clean.settings import CleanSettings
from dataprep.document import BatchBuilder
from dataprep.rules import decide
from dataprep.text.chunks import spacy_cache
from dataprep.text.view import forget_text

CHAIN = [
    {"use": "gopher@datatrove-0.10"},
    {"use": "c4@datatrove-0.10", "with": {"c4": {"end_marks": ""}}},
    {"use": "fineweb@datatrove-0.10"},
]
SETS: dict[str, list[dict[str, Any]]] = {
    "gopher": [{"use": "gopher@datatrove-0.10"}],
    "c4": [{"use": "c4@datatrove-0.10"}],
    "fineweb": [{"use": "fineweb@datatrove-0.10"}],
    "chain": CHAIN,
}
# datatrove's reasons that are not ours with the set's name taken off
REASONS = {
    **{f"duplicated_{n}_n_grams": f"dup_{n}_gram" for n in range(5, 11)},
    "gopher_short_doc": "short_doc",
    "gopher_long_doc": "long_doc",
    "gopher_below_avg_threshold": "short_words",
    "gopher_above_avg_threshold": "long_words",
    "gopher_too_many_hashes": "hashes",
    "gopher_too_many_ellipsis": "ellipses",
    "gopher_too_many_bullets": "bullet_lines",
    "gopher_too_many_end_ellipsis": "ellipsis_lines",
    "gopher_below_alpha_threshold": "alpha_words",
    "gopher_enough_stop_words": "stop_words",
}


def batches(texts: list[str]) -> list[pa.RecordBatch]:
    builder = BatchBuilder("benchmark")
    made = [builder.add(text, str(i)) for i, text in enumerate(texts)]
    return [batch for batch in (*made, builder.finish()) if batch is not None]


def ours(settings: CleanSettings, given: list[pa.RecordBatch]) -> tuple[list[str | None], list[int], dict[str, float]]:
    """Reasons without the set's name, lengths of the texts, and CPU seconds of each step."""
    reasons: list[str | None] = []
    lengths: list[int] = []
    seconds: dict[str, float] = {}
    steps, rules = settings.resolved_steps(), settings.resolved_rules()
    for batch in given:
        for step in steps:
            start = time.process_time()
            batch = step(batch)
            seconds[step.name] = seconds.get(step.name, 0.0) + time.process_time() - start
        start = time.process_time()
        decided = decide(batch, rules)
        seconds["rules"] = seconds.get("rules", 0.0) + time.process_time() - start
        reasons += [r and r.partition(".")[2] for r in decided.column("rejected_by").to_pylist()]
        lengths += map(len, batch.column("text").to_pylist())
    forget_text()
    return reasons, lengths, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rivals", help="the Python of an environment with datatrove")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="also time datatrove's chain when no filter stops it")
    parser.add_argument("--differences", type=int, default=5, help="how many documents to show for each difference")
    parser.add_argument("paths", nargs="+")
    arguments = parser.parse_args()

    texts = list(documents(arguments.paths))
    random.Random(arguments.seed).shuffle(texts)
    texts = texts[: arguments.documents]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{len(texts):,} documents, {megabytes:.1f} MB of UTF-8")
    given = batches(texts)

    theirs: dict[str, Any] = {}
    if arguments.rivals:
        with tempfile.TemporaryDirectory() as folder:
            rows, result = Path(folder) / "documents.jsonl", Path(folder) / "result.json"
            rows.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
            script = Path(__file__).parent / "rivals" / "datatrove_filters.py"
            extra = ["all"] if arguments.all else []
            subprocess.run([arguments.rivals, str(script), str(rows), str(result), *SETS, *extra], check=True)
            theirs = json.loads(result.read_text(encoding="utf-8"))

    warm = batches(["Some words, and of that the one. It is: [1] {x}."] * 20)
    for rules in SETS.values():
        ours(CleanSettings.model_validate({"rules": rules}), warm)  # compiled kernels are loaded from disk
    for name, rules in SETS.items():
        spacy_cache().clear()
        reasons, lengths, seconds = ours(CleanSettings.model_validate({"rules": rules}), given)
        total = sum(seconds.values())
        print(f"\n{name}: {megabytes / total:.1f} MB/s, {len(texts) / total:,.0f} documents/s")
        print("  " + ", ".join(f"{step} {used:.2f} s" for step, used in seconds.items()))
        if theirs:
            _compare(name, texts, reasons, lengths, theirs["sets"][name], arguments.differences)
            rival = theirs["sets"][name]["cpu_seconds"]
            print(f"  datatrove: {megabytes / rival:.2f} MB/s; {rival / total:.0f} times as long")
    english = {"reject": "language", "when": "language.label", "none_of": ["en"]}
    whole = CleanSettings.model_validate({"rules": [english, *CHAIN]})
    for known in ("every", "no"):
        if known == "no":
            spacy_cache().clear()
        _, _, seconds = ours(whole, given)
        total = sum(seconds.values())
        speed = f"{megabytes / total:.1f} MB/s, {len(texts) / total:,.0f} documents/s"
        print(f"\nchain with language, {known} chunk known before: {speed}")
        print("  " + ", ".join(f"{step} {used:.2f} s" for step, used in seconds.items()))
    if arguments.all:
        rival = theirs["sets"]["all"]["cpu_seconds"]
        print(f"  datatrove's, none stopping, without language: {megabytes / rival:.2f} MB/s")
        print(f"  {rival / total:.0f} times as long")
    if theirs:
        print(f"peak memory: datatrove {theirs['peak_rss_mb']:.0f} MB")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory with all documents in it: {peak:.0f} MB")


def _compare(
    name: str,
    texts: list[str],
    reasons: list[str | None],
    lengths: list[int],
    theirs: dict[str, Any],
    shown: int,
) -> None:
    expected = [REASONS.get(reason, reason) for reason in theirs["reasons"]]
    verdicts = sum((a is None) == (b is None) for a, b in zip(reasons, expected, strict=True))
    same = sum(a == b for a, b in zip(reasons, expected, strict=True))
    edits = sum(
        a is None and b is None and m != n
        for a, b, m, n in zip(reasons, expected, lengths, theirs["lengths"], strict=True)
    )
    print(f"  kept by both: {sum(a is b is None for a, b in zip(reasons, expected, strict=True)):,}")
    print(f"  same verdict: {verdicts / len(texts):.4%}")
    print(f"  same reason: {same / len(texts):.4%} ({len(texts) - same} differ)")
    print(f"  kept with a text of another length: {edits}")
    differing = Counter((b, a) for a, b in zip(reasons, expected, strict=True) if a != b)
    for (b, a), count in differing.most_common():
        print(f"    datatrove {b}, ours {a}: {count}")
        examples = [t for t, x, y in zip(texts, reasons, expected, strict=True) if (y, x) == (b, a)]
        for text in sorted(examples, key=len)[:shown]:
            print(f"      {len(text)} characters: {text[:200]!r}")


if __name__ == "__main__":
    main()
