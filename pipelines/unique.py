"""Clean documents → ``unique/kept/part-00000.parquet``, and ``unique/removed/`` with the copy that was kept instead.

- *sign*: every part gets its signature file; keys that similar documents share are regrouped by partition; each bucket
  becomes a star of edges.
- *large*, *small* (only if edges lie in several partitions): contraction rounds, until neither changes an edge.
- *members*, *judge*, *verdicts*: members of components go back to their parts for their signatures and sets of
  shingles, are regrouped by component and judged; the verdicts go back to the parts.
- *write*: every part is divided into kept and removed.
- *index* (with ``deduplicate.index``): the keys of what was kept, for later runs. *tombstones* (with ``against`` and
  ``copies: supersede``): the documents of earlier runs that yield to this one's.

On the way a document is a reference, part number and row. What is kept depends on texts, ids and the keep policy only.
Numbers of partitions come from numbers of rows, never from workers.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataprep import storage
from dataprep.dedup import components, rows
from dataprep.dedup.bands import candidate_keys, sorted_pairs
from dataprep.dedup.hashing import I64, partition_of
from dataprep.dedup.index import index_settings, open_runs, signature_file
from dataprep.dedup.normalise import libraries_of
from dataprep.dedup.origin import origin_columns
from dataprep.dedup.policy import check_columns, preference_columns
from dataprep.dedup.sets import ShingleSets
from dataprep.dedup.settings import DedupSettings
from dataprep.dedup.sidecar import Signatures
from dataprep.dedup.verdict import judge
from dataprep.document import characters
from dataprep.parts import PartWriter, read_part
from dataprep.tally import Tally
from pipelines.batches import Split
from pipelines.earlier import Corpus, IndexPart, WriteIndex, WriteTombstones, read_verdicts
from pipelines.receipts import Receipt, next_split
from pipelines.shuffle import Each, Kind, group_width, work_file
from pipelines.stage import Build, Run, Stage, read_manifest, sum_extras

if TYPE_CHECKING:
    from dataprep.recipe import Recipe

ROUNDS = 2  # of contraction in one pipeline, before the driver looks whether it is over
LARGEST = 20  # components in the report
SAMPLES = 3  # members of each

Rows = Iterator[tuple[int, pa.RecordBatch]]


class UniqueStage(Stage):
    name = "unique"
    title = "remove duplicates"
    code = ("dataprep.dedup", "dataprep.text", "dataprep.urls", "pipelines.earlier", "pipelines.unique")
    libraries = ("ada-url", "datasketch", "xxhash")
    phases = ("sign", "members", "judge", "verdicts", "write")

    def __init__(self, recipe: "Recipe", out: str, kind: Kind = "files") -> None:
        super().__init__(recipe, out, kind)
        stages = recipe.document_stages()
        self.upstream = (stages[stages.index(self.name) - 1],)

    def settings(self) -> dict[str, Any]:
        # which letters there are is the interpreter's knowledge
        return {
            "deduplicate": self.recipe.deduplicate.model_dump(mode="json"),
            "unicode": unicodedata.unidata_version,
            "against": [manifest["fingerprint"] if manifest else None for _, manifest in self._manifests()],
            **libraries_of(self.recipe.deduplicate.normalisation),
        }

    def plan(self) -> list[Split]:
        parts = []
        for index, file in enumerate(self.upstream_parts(*self.upstream)):
            with storage.open_read(file.path) as handle:
                part = pq.ParquetFile(handle)
                check_columns(part.schema_arrow.names, self.recipe.deduplicate)
                documents = part.metadata.num_rows
            parts.append(Split.of(index, file.size, {"path": file.path, "documents": documents}))
        return parts

    def _manifests(self) -> list[tuple[str, dict[str, Any] | None]]:
        """The directory of each earlier run's stage, and its manifest."""
        directories = [storage.join(out, self.name) for out in self.recipe.deduplicate.against]
        return [(directory, read_manifest(directory)) for directory in directories]

    def corpus(self, parts: int) -> Corpus:
        runs = open_runs(self._manifests(), self.recipe.deduplicate, parts)
        return Corpus(self.directory, self.kept_directory(*self.upstream), parts, tuple(runs))

    def graphs(self) -> list[tuple[str, Build]]:
        corpus = Corpus(self.directory, self.kept_directory(*self.upstream), 1, ())
        return [
            ("sign", partial(self.build_candidates, corpus=corpus, partitions=1)),
            ("large-00", partial(self.build_rounds, first=0, partitions=1)),
            ("members", partial(self.build_judgement, corpus=corpus, size=0)),
            ("write", partial(self.build_output, width=1)),
            ("index", partial(self.build_index, width=1, partitions=1)),
        ]

    def execute(self, run: Run) -> None:
        parts = self.plan()
        corpus = self.corpus(len(parts))
        width = group_width(corpus.all_parts)
        documents = sum(part.load()["documents"] for part in parts)
        settings = self.recipe.deduplicate
        bands, _ = settings.shape()
        candidates = self.partitions(documents * (bands + 1) * 16)
        run("sign", partial(self.build_candidates, corpus=corpus, partitions=candidates), parts)
        edges = self._contract(run)
        if edges:
            # each edge of a star is a member beside its centre
            members = 2 * sum(split.load()["edges"] for split in edges)
            size = members * self._member_bytes(documents)
            run("members", partial(self.build_judgement, corpus=corpus, size=size), edges)
        run("write", partial(self.build_output, width=width), parts)
        if settings.index:
            partitions = self.partitions(documents * (bands + 1) * 24)
            run("index", partial(self.build_index, width=width, partitions=partitions), parts)
        if settings.copies == "supersede":
            each = [Split.of(number, one.parts, one.directory) for number, one in enumerate(corpus.runs)]
            run("tombstones", partial(self.build_tombstones, corpus=corpus, width=width), each)

    def _contract(self, run: Run) -> list[Split]:
        """Run contraction rounds until they change nothing; the splits whose edges are the final stars."""
        edges = self._edges("sign")
        # a partition's edges are stars already, and a node that no other partition has cannot be joined further
        if len(edges) < 2:
            return edges
        partitions = self.partitions(2 * 16 * sum(split.load()["edges"] for split in edges))
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

    def build(self, splits: beam.PCollection) -> beam.PCollection:
        return self.build_output(splits, width=group_width(len(self.upstream_parts(*self.upstream))))

    def build_candidates(self, splits: beam.PCollection, corpus: Corpus, partitions: int) -> beam.PCollection:
        sign = SignPart(self.directory, self.recipe.deduplicate, corpus, partitions)
        return splits | self.shuffle("sign", sign, JoinBuckets(self.directory))

    def build_rounds(self, splits: beam.PCollection, first: int, partitions: int) -> beam.PCollection:
        for number in range(first, first + ROUNDS):
            for kind in ("large", "small"):
                phase = f"{kind}-{number:02d}"
                star = Star(self.directory, phase, kind == "large")
                splits = splits | self.shuffle(phase, EdgesByNode(partitions, kind == "large"), star)
        return splits

    def build_judgement(self, splits: beam.PCollection, corpus: Corpus, size: int) -> beam.PCollection:
        settings = self.recipe.deduplicate
        partitions = self.partitions(size)
        width = group_width(corpus.all_parts)
        members_of_parts = splits | self.shuffle("members", MembersByPart(width), GatherMembers(self.directory))
        by_component = MembersByComponent(corpus, settings, partitions)
        judged = members_of_parts | self.shuffle("judge", by_component, JudgeComponents(corpus, settings))
        return judged | self.shuffle("verdicts", VerdictsByPart(width), GatherVerdicts(self.directory))

    def build_output(self, splits: beam.PCollection, width: int) -> beam.PCollection:
        return splits | "unique/write" >> Each("write", self.directory, WritePart(self.directory, width))

    def build_index(self, splits: beam.PCollection, width: int, partitions: int) -> beam.PCollection:
        keys = IndexPart(self.directory, self.recipe.deduplicate, width, partitions)
        return splits | self.shuffle("index", keys, WriteIndex(self.directory))

    def build_tombstones(self, splits: beam.PCollection, corpus: Corpus, width: int) -> beam.PCollection:
        return splits | "unique/tombstones" >> Each("tombstones", self.directory, WriteTombstones(corpus, width))

    def finish(self) -> tuple[Tally, dict[str, Any]]:
        receipts = self.receipts("write")
        tally = Tally.total(Tally.from_json(receipt["tally"]) for receipt in receipts)
        extra = sum_extras(receipt["extra"] for receipt in receipts)
        corpus = self.corpus(len(receipts))
        bands, band_rows = self.recipe.deduplicate.shape()
        judged = [receipt["work"] for receipt in self.receipts("judge.reduce")]
        found, written = sum(work["removed"] for work in judged), sum(n for n, _ in tally.removed.values())
        if found != written:
            raise RuntimeError(f"stage unique: {found} documents were judged to be copies, {written} were removed")
        clusters = [cluster for work in judged for cluster in work["largest"]]
        largest = sorted(clusters, key=lambda c: (-c["size"], c["kept"]))[:LARGEST]
        names = self._names(corpus, {member for cluster in largest for member in cluster["members"]})
        return tally, extra | {
            "bands": bands,
            "rows": band_rows,
            "short_documents": sum(receipt["extra"]["short_documents"] for receipt in self.receipts("sign")),
            "components": sum(work["components"] for work in judged),
            "documents_in_components": sum(work["members"] for work in judged),
            **self._earlier(len(receipts)),
            "largest_clusters": [c | {"members": [names[member] for member in c["members"]]} for c in largest],
        }

    def _earlier(self, parts: int) -> dict[str, Any]:
        """What the manifest says of earlier and for later runs."""
        settings = self.recipe.deduplicate
        said: dict[str, Any] = {}
        if settings.index:
            partitions = self.receipts("index.reduce")
            said["index"] = {
                "settings": index_settings(settings),
                "parts": parts,
                "partitions": self.receipts("index")[0]["extra"]["partitions"],
                "keys": sum(receipt["work"]["keys"] for receipt in partitions),
            }
        if settings.against:
            said["earlier_runs"] = list(settings.against)
            said["copies_in_earlier_runs"] = sum(receipt["extra"]["found"] for receipt in self.receipts("sign"))
        if settings.copies == "supersede":
            said["tombstones"] = [receipt["work"] for receipt in self.receipts("tombstones")]
        return said

    def _names(self, corpus: Corpus, references: set[int]) -> dict[int, str]:
        """The URL, or else the locator, of each document referred to; each part is read once."""
        documents = np.array(sorted(references), np.uint64)
        part_of = rows.part_of(documents)
        names: dict[int, str] = {}
        for part in np.unique(part_of).tolist():
            here = documents[part_of == part]
            table = corpus.take(part, rows.row_of(here), ["url", "locator"])
            urls, locators = table["url"].to_pylist(), table["locator"].to_pylist()
            names |= {one: url or locator for one, url, locator in zip(here.tolist(), urls, locators, strict=True)}
        return names


@dataclass(frozen=True)
class SignPart:
    """Mapper: a part of documents → its signature file; candidate keys by partition."""

    directory: str
    settings: DedupSettings
    corpus: Corpus
    partitions: int

    def signatures(self, split: Split, receipt: Receipt) -> Signatures:
        columns = sorted({"id", "text", *preference_columns(self.settings), *origin_columns(self.settings)})
        return Signatures.of(read_part(split.load()["path"], columns), self.settings)

    def __call__(self, split: Split, receipt: Receipt) -> Rows:
        signatures = self.signatures(split, receipt)
        signatures.save(signature_file(self.directory, split.index), self.settings)
        receipt.extra["short_documents"] = int(np.count_nonzero(signatures.shingles == 0))
        receipt.extra["shingles"] = int(signatures.shingles.sum(dtype=np.int64))
        references = rows.references(split.index, len(signatures.ids))
        keys, members = components.collapse_buckets(*candidate_keys(signatures, references, self.settings))
        receipt.extra["found"] = 0
        known = components.distinct(keys)
        for their_keys, theirs in self.corpus.look_up(known):
            receipt.extra["found"] += len(components.distinct(theirs))
            keys, members = np.concatenate([keys, their_keys]), np.concatenate([members, theirs])
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

    corpus: Corpus
    settings: DedupSettings
    partitions: int

    def __call__(self, split: Split, receipt: Receipt) -> Rows:
        documents, labels = rows.read_pairs([rows.read_rows(split.load()["path"])])
        parts = rows.part_of(documents)
        for part in components.distinct(parts.astype(np.uint64)).tolist():
            signatures = self.corpus.signatures(part)
            here = np.flatnonzero(parts == part)
            here = here[self.corpus.alive(part, signatures.ids[rows.row_of(documents[here])])]
            for chosen, sets in self.shingle_sets(part, rows.row_of(documents[here])):
                component = labels[here][chosen]
                references = documents[here][chosen]
                batch = rows.member_rows(component, references, signatures.take(rows.row_of(references)), sets)
                yield from rows.divided(batch, partition_of(component, self.partitions))

    def shingle_sets(self, part: int, wanted: I64) -> Iterator[tuple[slice, ShingleSets]]:
        """Which of the ascending rows ``wanted`` of a part, and their sets of shingles, batch after batch."""
        if self.settings.verify == "estimate":
            yield slice(0, wanted.size), ShingleSets.empty(wanted.size)
            return
        path, wanted = self.corpus.place(part, wanted)
        with storage.open_read(path) as handle:
            file = pq.ParquetFile(handle)
            begin = 0
            for group in range(file.num_row_groups):  # of an earlier run, few groups have a document that is wanted
                end = begin + file.metadata.row_group(group).num_rows
                low, high = np.searchsorted(wanted, [begin, end]).tolist()
                if high > low:
                    text = file.read_row_group(group, ["text"]).column("text").take(pa.array(wanted[low:high] - begin))
                    yield slice(low, high), ShingleSets.of(text.combine_chunks(), self.settings)
                begin = end


@dataclass(frozen=True)
class JudgeComponents:
    """Reducer: whole components → verdicts on the removed members."""

    corpus: Corpus
    settings: DedupSettings

    def __call__(self, partition: int, batches: Iterable[pa.RecordBatch], receipt: Receipt) -> dict[str, Any]:
        labels, documents, members, sets = rows.read_members(batches)
        verdicts = judge(labels, members, sets, self.settings, self.corpus.is_earlier(documents))
        path = work_file(self.corpus.directory, "judge", partition)
        removals = rows.removal_rows(verdicts, documents, members, self.settings.verify)
        rows.write_rows(path, removals)
        return {
            "path": path,
            "components": len(verdicts.starts) - 1,
            "members": len(documents),
            "removed": int(np.count_nonzero(~self.corpus.is_earlier(removals.column("reference").to_numpy()))),
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
        verdicts = read_verdicts(self.directory, split.index // self.width)
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


def write_edges(path: str, edges: components.Edges) -> dict[str, Any]:
    rows.write_rows(path, rows.pairs(*edges))
    return {"path": path, "edges": len(edges[0])}


def read_edges(split: Split) -> components.Edges:
    return rows.read_pairs([rows.read_rows(split.load()["path"])])
