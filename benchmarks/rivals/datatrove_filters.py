"""datatrove's filters over documents in memory: ``python datatrove_filters.py DOCUMENTS.jsonl RESULT.json SET…``.

SET is one of gopher, quality (Gopher's second half), c4, fineweb, chain (all of FineWeb's, on the text that C4 left,
each stopping the document), all (the same, none stopping). For each: the reason of every document (null: kept), the
edited text's length, CPU seconds, and the peak memory. A filter that raises gives the reason ``error: …``, as the run
would have ended there.
"""

import json
import resource
import sys
import time

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)

SETS = {
    "gopher": lambda: [GopherRepetitionFilter(), GopherQualityFilter()],
    "quality": lambda: [GopherQualityFilter()],
    "c4": lambda: [C4QualityFilter()],
    "fineweb": lambda: [FineWebQualityFilter()],
    "chain": lambda: [
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(),
    ],
}


def judge(filters, document, stop):
    reason = None
    for one in filters:
        try:
            answer = one.filter(document)
        except Exception as error:
            answer = (False, f"error: {type(error).__name__}")
        kept, why = answer if isinstance(answer, tuple) else (answer, None)
        if not kept and reason is None:
            reason = why
            if stop:
                break
    return reason


def main(documents, result, names):
    with open(documents, encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    for make in SETS.values():  # load spaCy, and whatever else is loaded at the first document
        judge(make(), Document(text="Warm up. It is the one. And of that.", id="w"), False)
    found = {}
    for name in names:
        filters = SETS["chain" if name == "all" else name]()
        rows = [Document(text=text, id=str(i)) for i, text in enumerate(texts)]
        start = time.process_time()
        reasons = [judge(filters, row, name != "all") for row in rows]
        seconds = time.process_time() - start
        found[name] = {"reasons": reasons, "lengths": [len(row.text) for row in rows], "cpu_seconds": seconds}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open(result, "w", encoding="utf-8") as file:
        json.dump({"sets": found, "peak_rss_mb": peak / 1024}, file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
