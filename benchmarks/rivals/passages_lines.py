"""datatrove's removal of repeated lines, three stages, files to files: ``python passages_lines.py FOLDER OUT_FOLDER``.

FOLDER has JSON Lines with ``id`` and ``text``. Single lines, all but the first of each (the nearest it has to our
repeated lines, paragraphs and stretches of 50 words); no document is dropped for what is left of it.
"""

import importlib.metadata  # noqa: F401  (datatrove uses it without importing it)
import sys

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import SentenceDedupFilter, SentenceDedupSignature, SentenceFindDedups
from datatrove.pipeline.dedup.sentence_dedup import SentDedupConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter


def run(folder, *steps):
    LocalPipelineExecutor(list(steps), tasks=1, workers=1, logging_dir=f"{folder}/logs", skip_completed=False).run()


def main(given, out):
    config = SentDedupConfig(
        n_sentences=1, split_sentences=False, only_dedup_in_index=False, min_doc_words=0, min_num_sentences=0
    )
    run(out, JsonlReader(given), SentenceDedupSignature(f"{out}/signatures", config=config))
    run(out, SentenceFindDedups(f"{out}/signatures", f"{out}/repeated", config=config))
    cut = SentenceDedupFilter(f"{out}/repeated", config=config)
    run(out, JsonlReader(given), cut, JsonlWriter(f"{out}/kept", output_filename="${rank}.jsonl.gz"))


if __name__ == "__main__":
    main(*sys.argv[1:])
