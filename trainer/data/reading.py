"""How a run's configuration reads its shards: from where, proven how far, and what is recorded of damage."""

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from dataprep.shards import Manifest, ShardInfo
from trainer.config import ReadConfig
from trainer.data.cache import PieceCache
from trainer.data.remote import RemoteShards
from trainer.data.stream import Damage, LocalShards, Proof, Shards, TokenStream
from trainer.files import append_lines

DAMAGE = "damage.jsonl"


class Reading:
    """Opens the streams of one run on one manifest; ``seed`` chooses the sampled chunks.

    Damage that is skipped is a line of ``folder``/damage.jsonl, {"split", "start", "stop", "message", "rank"}, one for
    each rank that met it, and a line on stderr. Raises ``ValueError`` when shards on a store have no cache.
    """

    def __init__(self, manifest: Manifest, config: ReadConfig, seed: int, folder: Path, rank: int) -> None:
        self._manifest = manifest
        self._proof = Proof(config.share, seed, config.on_damage == "skip")
        self._folder = folder
        self._rank = rank
        self._shards: Callable[[Manifest, Sequence[ShardInfo]], Shards] = LocalShards
        if "://" in manifest.path and not manifest.path.startswith("file://"):
            if config.cache is None:
                raise ValueError(f"read.cache is None: the shards are at {manifest.path}, allowed is a folder here")
            cache = PieceCache(Path(config.cache), int(config.cache_gb * 1e9))
            self._shards = partial(RemoteShards, cache=cache, connections=config.connections)

    def stream(self, split: str, vocabulary: int) -> TokenStream:
        report = partial(self._record, split)
        return TokenStream(self._manifest, split, vocabulary, proof=self._proof, shards=self._shards, report=report)

    def _record(self, split: str, damage: Damage) -> None:
        row = {"split": split, "start": damage.start, "stop": damage.stop, "message": damage.message}
        self._folder.mkdir(parents=True, exist_ok=True)
        append_lines(self._folder / DAMAGE, json.dumps(row | {"rank": self._rank}) + "\n")
        print(f"trainer: skipped tokens {damage.start} to {damage.stop - 1}: {damage.message}", file=sys.stderr)
