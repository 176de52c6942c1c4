"""datatrove's four MinHash stages, files to files: ``python dedup_whole.py INPUT_FOLDER OUT_FOLDER RESULT.json``.

INPUT_FOLDER has JSON Lines with ``id`` and ``text``. RESULT is {"removed": {id: id of the copy kept of its cluster}},
which datatrove itself does not say: the clusters of removed and kept documents are joined here, after the measurement.
"""

import importlib.metadata  # noqa: F401  (datatrove uses it without importing it)
import json
import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

NAME = "${rank}.jsonl.gz"


def run(folder, *steps, tasks=1):
    LocalPipelineExecutor(list(steps), tasks=tasks, workers=1, logging_dir=f"{folder}/logs", skip_completed=False).run()


def rows(folder):
    import gzip

    for path in sorted(Path(folder).glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def main(given, out, result):
    config = MinhashConfig()
    run(out, JsonlReader(given), MinhashDedupSignature(f"{out}/signatures", config))
    buckets = MinhashDedupBuckets(f"{out}/signatures", f"{out}/buckets", config=config)
    run(out, buckets, tasks=config.num_buckets)
    run(out, MinhashDedupCluster(f"{out}/buckets", f"{out}/clusters", config=config, save_cluster_id=True))
    removed = JsonlWriter(f"{out}/removed", output_filename=NAME)
    deleting = MinhashDedupFilter(f"{out}/clusters", exclusion_writer=removed, load_cluster_ids=True)
    run(out, JsonlReader(given), deleting, JsonlWriter(f"{out}/kept", output_filename=NAME))
    cluster = {row["metadata"].get("minhash_cluster_id"): row["id"] for row in rows(f"{out}/kept")}
    copies = {row["id"]: cluster[row["metadata"]["minhash_cluster_id"]] for row in rows(f"{out}/removed")}
    Path(result).write_text(json.dumps({"removed": copies}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
