"""Token shards: self-proving Arrow files and the manifest that lists them. Needs neither Beam, torch nor a tokenizer.

columns     side columns, and how any column lies in buffers
layout      what a shard is: columns, metadata keys, token width, names of files
histogram   document lengths in log-linear buckets, so that percentiles need no tokens
checksums   xxh3-64 of each MiB of each buffer; which chunks no longer have theirs
writer      arrays → one shard, whole or not at all
reader      a shard as memory-mapped numpy views
head        metadata and the buffers' places from a file's first kilobytes, for readers of a store
manifest    ``manifest.json``: every shard, totals per source and split, its own hash
verify      problems of a shard or of a whole directory, named down to the documents
place       a token's place: position in a split → shard → document
export      the same tokens as files of Megatron, nanoGPT and llm.c
statistics  figures for a person, from the manifest alone

The format is specified in ``docs/shard-format.md``.
"""

from dataprep.shards.export import export_shards
from dataprep.shards.histogram import LengthHistogram
from dataprep.shards.layout import ShardInfo, WrittenShard, fingerprint, shard_name, token_dtype
from dataprep.shards.manifest import Manifest, Totals
from dataprep.shards.place import TokenPlace, locate, shard_of
from dataprep.shards.reader import Shard, open_shard
from dataprep.shards.statistics import Statistics, shard_statistics
from dataprep.shards.verify import Problem, verify_directory, verify_shard
from dataprep.shards.writer import write_shard

__all__ = [
    "LengthHistogram",
    "Manifest",
    "Problem",
    "Shard",
    "ShardInfo",
    "Statistics",
    "TokenPlace",
    "Totals",
    "WrittenShard",
    "export_shards",
    "fingerprint",
    "locate",
    "open_shard",
    "shard_name",
    "shard_of",
    "shard_statistics",
    "token_dtype",
    "verify_directory",
    "verify_shard",
    "write_shard",
]
