"""The last two stages: the documents left → ``tokenizer/tokenizer.json`` → ``shards/<source>/<split>-00000.arrow``.

Tokenizer, two pipelines: *measure* counts documents and bytes per source and language, part by part; *sample* brings a
bounded sample to one place, trains there, and writes what the tokenizer (or the one that the recipe gives) makes of it.
Shards, one pipeline: *encode* turns parts into ids and regroups them by shard; each shard is sorted and written in the
memory of one shard; the driver writes the manifest from the receipts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from dataprep import storage
from dataprep.document import characters
from dataprep.parts import read_part
from dataprep.shards.layout import WrittenShard, fingerprint, shard_name
from dataprep.shards.manifest import Manifest
from dataprep.shards.writer import write_shard
from dataprep.storage import FileInfo
from dataprep.tally import Tally
from dataprep.tokens import sample
from dataprep.tokens.assign import ShardPlan
from dataprep.tokens.encode import Encoder, load_encoder
from dataprep.tokens.measure import LANGUAGE, NO_LANGUAGE, CorpusMeasure
from dataprep.tokens.regroup import collect_shard, encode_rows
from dataprep.tokens.sample import SamplePlan
from dataprep.tokens.settings import TokenizerSettings
from dataprep.tokens.tiktoken import convert
from dataprep.tokens.train import train_tokenizer
from dataprep.tokens.vocabulary import VocabularyUse
from pipelines.batches import Split
from pipelines.receipts import Receipt
from pipelines.shuffle import Each, Kind
from pipelines.stage import Build, Run, Stage, read_manifest

if TYPE_CHECKING:
    from dataprep.recipe import Recipe

COLUMNS = ["id", "text", "source"]
TOKENIZER_FILE = "tokenizer.json"
REPORT_FILE = "report.json"
PLAN_FILE = "_work/plan.json"


class TokenizerStage(Stage):
    name = "tokenizer"
    title = "train tokenizer"
    code = (
        "dataprep.shards.layout",
        "dataprep.text",
        "dataprep.tokens.byte_level",
        "dataprep.tokens.encode",
        "dataprep.tokens.fast",
        "dataprep.tokens.hashing",
        "dataprep.tokens.learn",
        "dataprep.tokens.measure",
        "dataprep.tokens.pretokens",
        "dataprep.tokens.sample",
        "dataprep.tokens.support",
        "dataprep.tokens.tiktoken",
        "dataprep.tokens.train",
        "dataprep.tokens.vocabulary",
        "dataprep.tokens.words",
        "pipelines.tokens",
    )
    libraries = ("fastokens", "tokenizers")
    phases = ("measure", "sample", "sample.reduce")

    def __init__(self, recipe: "Recipe", out: str, kind: Kind = "files") -> None:
        super().__init__(recipe, out, kind)
        self.upstream = recipe.document_stages()[-1:]

    def settings(self) -> dict[str, Any]:
        return {"seed": self.recipe.seed, "tokenizer": self.recipe.tokenizer.model_dump(mode="json")}

    def inputs(self) -> list[FileInfo]:
        file = self.recipe.tokenizer.file
        if file is None:
            return []
        if not storage.exists(file):
            raise ValueError(
                f"tokenizer.file: {file!r} does not exist; it must be a tokenizer.json or a tiktoken vocabulary"
            )
        return storage.list_files(file)

    def plan(self) -> list[Split]:
        return _parts(self)

    def graphs(self) -> list[tuple[str, Build]]:
        return [("measure", self.build_measure), ("sample", self.build)]

    def build_measure(self, splits: beam.PCollection) -> beam.PCollection:
        return splits | "tokenizer/measure" >> Each("measure", self.directory, MeasurePart(self.recipe.seed))

    def build(self, splits: beam.PCollection) -> beam.PCollection:
        learn = LearnTokenizer(self.directory, self.recipe.tokenizer)
        plan = storage.join(self.directory, PLAN_FILE)
        return splits | self.shuffle("sample", SamplePart(self.recipe.seed, plan), learn)

    def execute(self, run: Run) -> None:
        settings = self.recipe.tokenizer
        if settings.file is not None:  # workers elsewhere may not see the file
            data = storage.read_bytes(settings.file)
            if settings.is_tiktoken:
                data = convert(data, settings.file, settings.control_tokens, settings.pre_tokenizer)
            Encoder(data, settings.eos_token, settings.file, settings.bos_token)
            storage.write_bytes(storage.join(self.directory, TOKENIZER_FILE), data)
        parts = self.plan()
        run("measure", self.build_measure, parts)
        corpus = self._corpus()
        if corpus.bytes == 0:
            where = storage.join(self.out, self.upstream[0], "kept")
            raise ValueError(f"tokenizer: no text is left in {where}; the stages before removed everything there was")
        plan = SamplePlan.of(corpus, settings)
        storage.write_json(storage.join(self.directory, PLAN_FILE), plan.to_json())
        run("sample", self.build, parts)

    def finish(self) -> tuple[Tally, dict[str, Any]]:
        (learned,) = self.receipts("sample.reduce")
        measured = self.receipts("measure")
        tally = Tally.total(Tally.from_json(receipt["tally"]) for receipt in measured)
        corpus = self._corpus()
        use = VocabularyUse.from_json(storage.read_json(storage.join(self.directory, REPORT_FILE)))
        notes = []
        if "language" in self.recipe.tokenizer.balance_by and {label for _, label in corpus.groups} == {NO_LANGUAGE}:
            notes.append(f"languages are not balanced: no document has {LANGUAGE}, which clean.steps: [language] adds")
        if learned["work"]["slow"] is not None:
            notes.append(learned["work"]["slow"])
        known = {"corpus": corpus.to_json(), "estimated_tokens": use.corpus_tokens(corpus), "notes": notes}
        return tally, known | learned["work"]

    def _corpus(self) -> CorpusMeasure:
        return CorpusMeasure.total(CorpusMeasure.from_json(r["work"]) for r in self.receipts("measure"))


class ShardsStage(Stage):
    name = "shards"
    title = "write shards"
    code = (
        "dataprep.shards",
        "dataprep.text.xxh3",
        "dataprep.tokens.assign",
        "dataprep.tokens.encode",
        "dataprep.tokens.fast",
        "dataprep.tokens.hashing",
        "dataprep.tokens.measure",
        "dataprep.tokens.regroup",
        "dataprep.tokens.sample",
        "dataprep.tokens.support",
        "pipelines.tokens",
    )
    libraries = ("fastokens", "tokenizers")
    phases = ("encode", "encode.reduce")

    def __init__(self, recipe: "Recipe", out: str, kind: Kind = "files") -> None:
        super().__init__(recipe, out, kind)
        self.upstream = (recipe.document_stages()[-1], "tokenizer")

    def settings(self) -> dict[str, Any]:
        return {"seed": self.recipe.seed, "shards": self.recipe.shards.model_dump(mode="json")}

    def plan(self) -> list[Split]:
        return _parts(self)

    def graphs(self) -> list[tuple[str, Build]]:
        return [("encode", self.build)]

    def build(self, splits: beam.PCollection) -> beam.PCollection:
        job = storage.join(self.directory, PLAN_FILE)
        return splits | self.shuffle("encode", EncodePart(job), WriteShard(job, self.directory))

    def execute(self, run: Run) -> None:
        tokenizer = storage.join(self.out, "tokenizer")
        manifest = read_manifest(tokenizer)
        if manifest is None:
            raise ValueError(f"shards: {tokenizer} is not finished; run the tokenize stage first")
        learned = manifest["extra"]
        file = storage.join(tokenizer, TOKENIZER_FILE)
        if fingerprint(storage.read_bytes(file)) != learned["fingerprint"]:
            raise ValueError(f"{file}: the file has changed since the tokenizer stage wrote it; remove {tokenizer}")
        corpus = CorpusMeasure.from_json(learned["corpus"])
        plan = ShardPlan.of(corpus, corpus.bytes, learned["estimated_tokens"], self.recipe.shards, self.recipe.seed)
        job = {
            "plan": plan.to_json(),
            "tokenizer": file,
            "fingerprint": learned["fingerprint"],
            "eos_token": self.recipe.tokenizer.eos_token,
            "bos_token": self.recipe.tokenizer.bos_token,
            "columns": self.recipe.shards.columns,
        }
        storage.write_json(storage.join(self.directory, PLAN_FILE), job)
        run("encode", self.build, self.plan())

    def finish(self) -> tuple[Tally, dict[str, Any]]:
        encoded = self.receipts("encode")
        tally = Tally.total(Tally.from_json(receipt["tally"]) for receipt in encoded)
        written = [WrittenShard.from_json(receipt["work"]) for receipt in self.receipts("encode.reduce")]
        manifest = Manifest.build(self.directory, written)
        for what, stored in (("tokens", manifest.tokens), ("bytes", manifest.bytes), ("documents", manifest.documents)):
            made = sum(receipt["extra"][what] for receipt in encoded)
            if made != stored:
                raise RuntimeError(f"stage shards: {made} {what} were encoded, {stored} are in shards")
        manifest.save()
        extra: dict[str, Any] = {
            "documents": manifest.documents,
            "tokens": manifest.tokens,
            "bytes": manifest.bytes,
            "shards": len(manifest.shards),
            "manifest_hash": manifest.hash,
            "notes": [],
        }
        if not manifest.select("validation"):
            fraction = self.recipe.shards.validation_fraction
            why = f"shards.validation_fraction is {fraction:g}" if fraction == 0 else "the corpus is a single document"
            extra["notes"].append(f"there are no validation shards: {why}")
        return tally, extra


@dataclass(frozen=True)
class MeasurePart:
    seed: int

    def __call__(self, split: Split, receipt: Receipt) -> dict[str, Any]:
        corpus = CorpusMeasure()
        for batch in read_part(split.load()["path"], [*COLUMNS, LANGUAGE]):
            corpus.add(batch, self.seed)
            _count(batch, receipt)
        return corpus.to_json()


@dataclass(frozen=True)
class SamplePart:
    seed: int
    plan: str

    def __call__(self, split: Split, receipt: Receipt) -> Iterator[tuple[int, pa.RecordBatch]]:
        plan = SamplePlan.from_json(storage.read_json(self.plan))
        for batch in read_part(split.load()["path"], [*COLUMNS, LANGUAGE]):
            yield 0, sample.candidates(batch, self.seed, plan)
            receipt.pulse()


@dataclass(frozen=True)
class LearnTokenizer:
    directory: str
    settings: TokenizerSettings

    def __call__(self, partition: int, batches: Iterable[pa.RecordBatch], receipt: Receipt) -> dict[str, Any]:
        plan = SamplePlan.from_json(storage.read_json(storage.join(self.directory, PLAN_FILE)))
        rows = sample.cut(batches, plan)
        path = storage.join(self.directory, TOKENIZER_FILE)
        if self.settings.file is None:
            data = train_tokenizer(pa.chunked_array([rows.column("text")]), self.settings)
            storage.write_bytes(path, data)
        else:
            data = storage.read_bytes(path)
        encoder = Encoder(data, self.settings.eos_token, path, self.settings.bos_token)
        use = VocabularyUse.of(encoder, rows, self.settings)
        storage.write_json(storage.join(self.directory, REPORT_FILE), use.to_json())
        return {
            "fingerprint": fingerprint(data),
            "vocabulary_size": encoder.vocabulary_size,
            "eos_id": encoder.eos_id,
            "slow": encoder.note,
            "sample_bytes": use.sample_bytes,
            "sample_tokens": use.sample_tokens,
            "sample_documents": rows.num_rows,
            "bytes_per_token": round(use.sample_bytes / max(use.sample_tokens, 1), 4),
        }


@dataclass(frozen=True)
class EncodePart:
    job: str

    def __call__(self, split: Split, receipt: Receipt) -> Iterator[tuple[int, pa.RecordBatch]]:
        job = storage.read_json(self.job)
        plan = ShardPlan.from_json(job["plan"])
        encoder = _encoder(job)
        counts = {"documents": 0, "bytes": 0, "tokens": 0}
        for batch in read_part(split.load()["path"], [*COLUMNS, *job["columns"]]):
            for partition, rows in encode_rows(batch, encoder, plan, job["columns"]):
                counts["documents"] += rows.num_rows
                counts["bytes"] += pc.sum(rows.column("bytes")).as_py()
                counts["tokens"] += pc.sum(pc.list_value_length(rows.column("tokens"))).as_py()
                yield partition, rows
            _count(batch, receipt)
        receipt.extra |= counts


@dataclass(frozen=True)
class WriteShard:
    job: str
    directory: str

    def __call__(self, partition: int, batches: Iterable[pa.RecordBatch], receipt: Receipt) -> dict[str, Any]:
        job = storage.read_json(self.job)
        encoder = _encoder(job)
        source, split, index = ShardPlan.from_json(job["plan"]).place(partition)
        rows = collect_shard(batches)
        receipt.tally.take(len(rows.doc_ids))
        receipt.tally.keep(len(rows.doc_ids))
        return write_shard(
            self.directory,
            shard_name(source, split, index),
            rows.tokens,
            rows.offsets,
            rows.doc_ids,
            source=source,
            split=split,
            tokenizer_fingerprint=encoder.fingerprint,
            vocabulary_size=encoder.vocabulary_size,
            eos_id=encoder.eos_id,
            bos_id=encoder.bos_id,
            text_bytes=rows.bytes,
            columns=rows.columns,
        ).to_json()


def _encoder(job: dict[str, Any]) -> Encoder:
    return load_encoder(job["tokenizer"], job["eos_token"], job["fingerprint"], job["bos_token"])


def _parts(stage: Stage) -> list[Split]:
    files = stage.upstream_parts(stage.upstream[0])
    return [Split.of(index, file.size, {"path": file.path}) for index, file in enumerate(files)]


def _count(batch: pa.RecordBatch, receipt: Receipt) -> None:
    length = characters(batch)
    receipt.tally.take(batch.num_rows, length)
    receipt.tally.keep(batch.num_rows, length)
    receipt.pulse()
