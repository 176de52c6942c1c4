"""Clean documents → ``unique/kept/part-00000.parquet``, and ``unique/removed/`` with the copy that was kept instead.

- *sign*: every part gets its signature file; keys that similar documents share are regrouped by partition; each bucket
  becomes a star of edges.
- *large*, *small* (only if edges lie in several partitions): contraction rounds, until neither changes an edge.
- *members*, *judge*, *verdicts*: members of components go back to their parts for their signatures and sets of
  shingles, are regrouped by component and judged; the verdicts go back to the parts.
- *write*: every part is divided into kept and removed.

On the way a document is a reference, part number and row. What is kept depends on texts, ids and the keep policy only.
Numbers of partitions come from numbers of rows, never from workers.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataprep import storage
from dataprep.dedup import components, rows
from dataprep.dedup.bands import candidate_keys, sorted_pairs
from dataprep.dedup.hashing import I64, partition_of
from dataprep.dedup.normalise import libraries_of
from dataprep.dedup.origin import origin_columns
from dataprep.dedup.policy import check_columns, preference_columns
from dataprep.dedup.sets import ShingleSets
from dataprep.dedup.settings import DedupSettings
from dataprep.dedup.sidecar import Signatures
from dataprep.dedup.verdict import judge
from dataprep.parts import PartWriter, read_part
from dataprep.tally import Tally
from pipelines.batches import Split
from pipelines.receipts import Receipt, next_split
from pipelines.shuffle import Each, PartitionShuffle, work_directory
from pipelines.stage import Build, Run, Stage

ROUNDS = 2  # of contraction in one pipeline, before the driver looks whether it is over
PART_GROUPS = 256  # at most so many partitions when rows go back to their parts
LARGEST = 20  # components in the report
SAMPLES = 3  # members of each

NO_VERDICTS = pa.RecordBatch.from_pylist([], schema=rows.VERDICT_SCHEMA)

Rows = Iterator[tuple[int, pa.RecordBatch]]


class UniqueStage(Stage):
    name = "unique"
    title = "remove duplicates"
    code = ("dataprep.dedup", "dataprep.text", "dataprep.urls", "pipelines.unique")
    libraries = ("ada-url", "datasketch", "xxhash")
    upstream = ("clean",)
    phases = ("sign", "members", "judge", "verdicts", "write")

    partition_bytes: ClassVar[int] = 64 << 20  # sorting and joining take several times as much

    def settings(self) -> dict[str, Any]:
        # which letters there are is the interpreter's knowledge
        return {
            "deduplicate": self.recipe.deduplicate.model_dump(mode="json"),
            "unicode": unicodedata.unidata_version,
            **libraries_of(self.recipe.deduplicate.normalisation),
        }

    def plan(self) -> list[Split]:
        parts = []
        for index, file in enumerate(self.upstream_parts("clean")):
            with storage.open_read(file.path) as handle:
                part = pq.ParquetFile(handle)
                check_columns(part.schema_arrow.names, self.recipe.deduplicate)
                documents = part.metadata.num_rows
            parts.append(Split.of(index, file.size, {"path": file.path, "documents": documents}))
        return parts

    def graphs(self) -> list[tuple[str, Build]]:
        return [
            ("sign", partial(self.build_candidates, partitions=1)),
            ("large-00", partial(self.build_rounds, first=0, partitions=1)),
            ("members", partial(self.build_judgement, parts=1, size=0)),
            ("write", partial(self.build_output, parts=1)),
        ]

    def execute(self, run: Run) -> None:
        parts = self.plan()
        documents = sum(part.load()["documents"] for part in parts)
        bands, _ = self.recipe.deduplicate.shape()
        candidates = self._partitions(documents * (bands + 1) * 16)
        run("sign", partial(self.build_candidates, partitions=candidates), parts)
        edges = self._contract(run)
        if edges:
            # each edge of a star is a member beside its centre
            members = 2 * sum(split.load()["edges"] for split in edges)
            size = members * self._member_bytes(documents)
            run("members", partial(self.build_judgement, parts=len(parts), size=size), edges)
        run("write", partial(self.build_output, parts=len(parts)), parts)

    def _contract(self, run: Run) -> list[Split]:
        """Run contraction rounds until they change nothing; the splits whose edges are the final stars."""
        edges = self._edges("sign")
        # a partition's edges are stars already, and a node that no other partition has cannot be joined further
        if len(edges) < 2:
            return edges
        partitions = self._partitions(2 * 16 * sum(split.load()["edges"] for split in edges))
        first = 0
        while True:
            run(f"large-{first:02d}", partial(self.build_rounds, first=first, partitions=partitions), edges)
            last = f"{first + ROUNDS - 1:02d}"
            edges = self._edges(f"small-{last}")
            if not any(r["extra"]["changed"] for k in ("large", "small") for r in self.receipts(f"{k}-{last}.reduce")):
                return edges
            first += ROUNDS

    def _edges(self, phase: str) -> list[Split]:
        outputs = [next_split(receipt) for receipt in self.receipts(f"{phase}.reduce")]
        return [split for split in outputs if split.load()["edges"]]

    def _member_bytes(self, documents: int) -> int:
        """What a member takes with it to be judged: its signature and, as many as documents have, its shingles."""
        settings = self.recipe.deduplicate
        shingles = sum(receipt["extra"]["shingles"] for receipt in self.receipts("sign")) // documents
        return 64 + 4 * settings.permutations + (0 if settings.verify == "estimate" else 8 * shingles)

    def _partitions(self, size: int) -> int:
        return max(1, -(-size // self.partition_bytes))

    def _shuffle(self, phase: str, mapper: Any, reducer: Any) -> beam.PTransform:
        return f"unique/{phase}" >> PartitionShuffle(phase, self.directory, mapper, reducer, self.kind)

    def build(self, splits: beam.PCollection) -> beam.PCollection:
        return self.build_output(splits, parts=len(self.upstream_parts("clean")))

    def build_candidates(self, splits: beam.PCollection, partitions: int) -> beam.PCollection:
        sign = SignPart(self.directory, self.recipe.deduplicate, partitions)
        return splits | self._shuffle("sign", sign, JoinBuckets(self.directory))

    def build_rounds(self, splits: beam.PCollection, first: int, partitions: int) -> beam.PCollection:
        for number in range(first, first + ROUNDS):
            for kind in ("large", "small"):
                phase = f"{kind}-{number:02d}"
                star = Star(self.directory, phase, kind == "large")
                splits = splits | self._shuffle(phase, EdgesByNode(partitions, kind == "large"), star)
        return splits

    def build_judgement(self, splits: beam.PCollection, parts: int, size: int) -> beam.PCollection:
        settings = self.recipe.deduplicate
        partitions = self._partitions(size)
        width = group_width(parts)
        members_of_parts = splits | self._shuffle("members", MembersByPart(width), GatherMembers(self.directory))
        by_component = MembersByComponent(self.directory, self.kept_directory("clean"), settings, partitions)
        judged = members_of_parts | self._shuffle("judge", by_component, JudgeComponents(self.directory, settings))
        return judged | self._shuffle("verdicts", VerdictsByPart(width), GatherVerdicts(self.directory))

    def build_output(self, splits: beam.PCollection, parts: int) -> beam.PCollection:
        write = WritePart(self.directory, group_width(parts))
        return splits | "unique/write" >> Each("write", self.directory, write)

    def finish(self) -> tuple[Tally, dict[str, Any]]:
        tally, extra = super().finish()
        bands, band_rows = self.recipe.deduplicate.shape()
        judged = [receipt["work"] for receipt in self.receipts("judge.reduce")]
        found, written = sum(work["removed"] for work in judged), sum(n for n, _ in tally.removed.values())
        if found != written:
            raise RuntimeError(f"stage unique: {found} documents were judged to be copies, {written} were removed")
        clusters = [cluster for work in judged for cluster in work["largest"]]
        largest = sorted(clusters, key=lambda c: (-c["size"], c["kept"]))[:LARGEST]
        names = self._names({member for cluster in largest for member in cluster["members"]})
        return tally, extra | {
            "bands": bands,
            "rows": band_rows,
            "short_documents": sum(receipt["extra"]["short_documents"] for receipt in self.receipts("sign")),
            "components": sum(work["components"] for work in judged),
            "documents_in_components": sum(work["members"] for work in judged),
            "largest_clusters": [c | {"members": [names[member] for member in c["members"]]} for c in largest],
        }

    def _names(self, references: set[int]) -> dict[int, str]:
        """The URL, or else the locator, of each document referred to; each part is read once."""
        parts = self.upstream_parts("clean")
        documents = np.array(sorted(references), np.uint64)
        part_of = rows.part_of(documents)
        names: dict[int, str] = {}
        for part in np.unique(part_of).tolist():
            here = documents[part_of == part]
            with storage.open_read(parts[part].path) as handle:
                table = pq.read_table(handle, columns=["url", "locator"]).take(rows.row_of(here))
            urls, locators = table["url"].to_pylist(), table["locator"].to_pylist()
            names |= {one: url or locator for one, url, locator in zip(here.tolist(), urls, locators, strict=True)}
        return names


def group_width(parts: int) -> int:
    """How many neighbouring parts share a partition when rows go back to their parts."""
    return max(1, -(-parts // PART_GROUPS))


def work_file(directory: str, phase: str, index: int) -> str:
    return storage.join(work_directory(directory, phase), f"{index:05d}.arrow")


def signature_file(directory: str, part: int) -> str:
    return storage.join(directory, "signatures", f"part-{part:05d}.arrow")


@dataclass(frozen=True)
class SignPart:
    """Mapper: a part of documents → its signature file; candidate keys by partition."""

    directory: str
    settings: DedupSettings
    partitions: int

    def __call__(self, split: Split, receipt: Receipt) -> Rows:
        columns = sorted({"id", "text", *preference_columns(self.settings), *origin_columns(self.settings)})
        batches = read_part(split.load()["path"], columns)
        signatures = Signatures.of(batches, self.settings)
        signatures.save(signature_file(self.directory, split.index), self.settings)
        receipt.extra["short_documents"] = int(np.count_nonzero(signatures.shingles == 0))
        receipt.extra["shingles"] = int(signatures.shingles.sum(dtype=np.int64))
        references = rows.references(split.index, len(signatures.ids))
        keys, members = components.collapse_buckets(*candidate_keys(signatures, references, self.settings))
        yield from rows.divided(rows.pairs(keys, members), partition_of(keys, self.partitions))


@dataclass(frozen=True)
class JoinBuckets:
    """Reducer: all documents of each key → a spanning star for each component among them."""

    directory: str

    def __call__(self, partition: int, batches: Iterable[pa.RecordBatch], receipt: Receipt) -> dict[str, Any]:
        stars = components.spanning_stars(components.bucket_stars(*rows.read_pairs(batches)))
        return write_edges(work_file(self.directory, "sign", partition), stars)


@dataclass(frozen=True)
class EdgesByNode:
    """Mapper: edges by the partition of a node, seen from both ends for large-star, from the larger for small-star."""

    partitions: int
    both: bool

    def __call__(self, split: Split, receipt: Receipt) -> Rows:
        # what a partition holds together is joined here: with few partitions that saves most of the rounds
        edges = components.spanning_stars(read_edges(split))
        nodes, neighbours = components.both_ways(edges) if self.both else edges
        yield from rows.divided(rows.pairs(nodes, neighbours), partition_of(nodes, self.partitions))


@dataclass(frozen=True)
class Star:
    """Reducer: one large-star or small-star operation on every node of the partition."""

    directory: str
    phase: str
    large: bool

    def __call__(self, partition: int, batches: Iterable[pa.RecordBatch], receipt: Receipt) -> dict[str, Any]:
        operation = components.large_star if self.large else components.small_star
        edges, changed = operation(*rows.read_pairs(batches))
        receipt.extra["changed"] = changed
        return write_edges(work_file(self.directory, self.phase, partition), edges)


@dataclass(frozen=True)
class MembersByPart:
    """Mapper: final stars → (document, component) for every leaf and centre, by part."""

    width: int

    def __call__(self, split: Split, receipt: Receipt) -> Rows:
        leaves, centres = read_edges(split)
        own = components.distinct(centres)
        documents = np.concatenate([leaves, own])
        named = rows.pairs(documents, np.concatenate([centres, own]))
        yield from rows.divided(named, rows.part_of(documents) // self.width)


@dataclass(frozen=True)
class GatherMembers:
    """Reducer: the members among a few parts' documents, each once, in their order."""

    directory: str

    def __call__(self, partition: int, batches: Iterable[pa.RecordBatch], receipt: Receipt) -> dict[str, Any]:
        path = work_file(self.directory, "members", partition)
        rows.write_rows(path, rows.pairs(*sorted_pairs(*rows.read_pairs(batches))))
        return {"path": path}


@dataclass(frozen=True)
class MembersByComponent:
    """Mapper: members with their signatures and sets of shingles, by component."""

    directory: str
    documents: str  # where their parts are
    settings: DedupSettings
    partitions: int

    def __call__(self, split: Split, receipt: Receipt) -> Rows:
        documents, labels = rows.read_pairs([rows.read_rows(split.load()["path"])])
        parts = rows.part_of(documents)
        files = storage.list_files(self.documents, ".parquet")
        for part in components.distinct(parts.astype(np.uint64)).tolist():
            here = parts == part
            signatures = Signatures.load(signature_file(self.directory, part))
            for chosen, sets in self._sets(files[part].path, rows.row_of(documents[here])):
                component = labels[here][chosen]
                references = documents[here][chosen]
                batch = rows.member_rows(component, references, signatures.take(rows.row_of(references)), sets)
                yield from rows.divided(batch, partition_of(component, self.partitions))

    def _sets(self, path: str, wanted: I64) -> Iterator[tuple[slice, ShingleSets]]:
        """Which of the ascending rows ``wanted`` of a part, and their sets of shingles, batch after batch."""
        if self.settings.verify == "estimate":
            yield slice(0, wanted.size), ShingleSets.empty(wanted.size)
            return
        begin = 0
        for batch in read_part(path, ["text"]):
            low, high = np.searchsorted(wanted, [begin, begin + batch.num_rows]).tolist()
            if high > low:
                text = batch.column("text").take(pa.array(wanted[low:high] - begin))
                yield slice(low, high), ShingleSets.of(text, self.settings)
            begin += batch.num_rows


@dataclass(frozen=True)
class JudgeComponents:
    """Reducer: whole components → verdicts on the removed members."""

    directory: str
    settings: DedupSettings

    def __call__(self, partition: int, batches: Iterable[pa.RecordBatch], receipt: Receipt) -> dict[str, Any]:
        labels, documents, members, sets = rows.read_members(batches)
        verdicts = judge(labels, members, sets, self.settings)
        path = work_file(self.directory, "judge", partition)
        removals = rows.removal_rows(verdicts, documents, members, self.settings.verify)
        rows.write_rows(path, removals)
        return {
            "path": path,
            "components": len(verdicts.starts) - 1,
            "members": len(documents),
            "removed": removals.num_rows,
            "largest": rows.largest_components(verdicts, documents, members, LARGEST, SAMPLES),
        }


@dataclass(frozen=True)
class VerdictsByPart:
    """Mapper: verdicts by the part of the document they are about."""

    width: int

    def __call__(self, split: Split, receipt: Receipt) -> Rows:
        verdicts = rows.read_rows(split.load()["path"])
        yield from rows.divided(verdicts, rows.part_of(verdicts.column("reference").to_numpy()) // self.width)


@dataclass(frozen=True)
class GatherVerdicts:
    """Reducer: the verdicts on a few parts' documents, in their order."""

    directory: str

    def __call__(self, partition: int, batches: Iterable[pa.RecordBatch], receipt: Receipt) -> dict[str, Any]:
        path = work_file(self.directory, "verdicts", partition)
        rows.write_rows(path, rows.sorted_rows(batches))
        return {"path": path}


@dataclass(frozen=True)
class WritePart:
    """Task: one part of documents → its kept and its removed part."""

    directory: str
    width: int

    def __call__(self, split: Split, receipt: Receipt) -> None:
        path = split.load()["path"]
        found = work_file(self.directory, "verdicts", split.index // self.width)
        verdicts = rows.read_rows(found) if storage.exists(found) else NO_VERDICTS
        with storage.open_read(path) as handle:
            schema = pq.read_schema(handle)
        references = rows.references(split.index, split.load()["documents"])
        name = f"part-{split.name}.parquet"
        with (
            PartWriter(storage.join(self.directory, "kept", name), schema) as kept,
            PartWriter(storage.join(self.directory, "removed", name), rows.removed_schema(schema)) as removed,
        ):
            at = 0
            for batch in read_part(path):
                stays, goes = rows.split_batch(batch, references[at : at + batch.num_rows], verdicts)
                at += batch.num_rows
                kept.write(stays)
                removed.write(goes)
                receipt.tally.take(batch.num_rows, characters(batch))
                receipt.tally.keep(stays.num_rows, characters(stays))
                for reason in rows.REASONS:
                    lost = goes.filter(pc.equal(goes.column("rejected_by"), reason))
                    if lost.num_rows:
                        receipt.tally.remove(reason, lost.num_rows, characters(lost))


def characters(batch: pa.RecordBatch) -> int:
    return pc.sum(pc.utf8_length(batch.column("text"))).as_py() or 0


def write_edges(path: str, edges: components.Edges) -> dict[str, Any]:
    rows.write_rows(path, rows.pairs(*edges))
    return {"path": path, "edges": len(edges[0])}


def read_edges(split: Split) -> components.Edges:
    return rows.read_pairs([rows.read_rows(split.load()["path"])])
