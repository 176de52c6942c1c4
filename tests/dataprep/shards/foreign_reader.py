"""A reader of shards written from docs/shard-format.md alone: no Arrow library, nothing of this project.

It is what somebody would write in another language, and shows that the page says enough.
"""

import json
import struct

import xxhash

MIB = 1 << 20
FORMS = {"int32": "<%di", "int64": "<%dq", "float32": "<%df", "float64": "<%dd"}


class Table:
    """A FlatBuffers table: the slots that the page names."""

    def __init__(self, data, place):
        self.data, self.place = data, place
        self.vtable = place - struct.unpack_from("<i", data, place)[0]
        self.size = struct.unpack_from("<H", data, self.vtable)[0]

    @classmethod
    def root(cls, data):
        return cls(data, struct.unpack_from("<I", data)[0])

    def slot(self, number):
        entry = 4 + 2 * number
        offset = struct.unpack_from("<H", self.data, self.vtable + entry)[0] if entry < self.size else 0
        return self.place + offset if offset else None

    def scalar(self, number, form):
        place = self.slot(number)
        return 0 if place is None else struct.unpack_from(form, self.data, place)[0]

    def follow(self, number):
        place = self.slot(number)
        return None if place is None else place + struct.unpack_from("<I", self.data, place)[0]

    def table(self, number):
        return Table(self.data, self.follow(number))

    def string(self, number):
        place = self.follow(number)
        length = struct.unpack_from("<I", self.data, place)[0]
        return self.data[place + 4 : place + 4 + length].decode()

    def structs(self, number, form):
        place = self.follow(number)
        length = struct.unpack_from("<I", self.data, place)[0]
        size = struct.calcsize(form)
        return [struct.unpack_from(form, self.data, place + 4 + i * size) for i in range(length)]

    def tables(self, number):
        place = self.follow(number)
        length = struct.unpack_from("<I", self.data, place)[0]
        entries = [place + 4 + 4 * i for i in range(length)]
        return [Table(self.data, entry + struct.unpack_from("<I", self.data, entry)[0]) for entry in entries]


def read(path):
    """(metadata without prefix, documents as lists of ids, their ids as hex, side columns); proves every checksum."""
    data = path.read_bytes()
    assert data[:8] == b"ARROW1\0\0"
    assert data[-6:] == b"ARROW1"
    footer_size = struct.unpack_from("<i", data, len(data) - 10)[0]
    footer = Table.root(data[len(data) - 10 - footer_size : len(data) - 10])
    schema = footer.table(1)
    entries = {pair.string(0): pair.string(1) for pair in schema.tables(2)}
    prove_root(entries)
    metadata = {key.removeprefix("corpusmill."): value for key, value in entries.items()}
    fields = [field.string(0) for field in schema.tables(1)]

    ((offset, meta_size, _),) = footer.structs(3, "<qi4xq")
    assert struct.unpack_from("<i", data, offset)[0] == -1
    batch = Table.root(data[offset + 8 : offset + meta_size]).table(2)
    nodes, places = batch.structs(1, "<qq"), batch.structs(2, "<qq")
    body = offset + meta_size

    columns = json.loads(metadata.get("columns", "{}"))
    kinds = {"tokens": "list", "doc_id": "bytes", **columns}
    buffers = {}
    for name in fields:
        _, nulls = nodes.pop(0)
        names = {"list": "- offsets - values", "bits": "- offsets - values", "string": "validity offsets values"}
        for part in names.get(kinds[name], "validity values").split():
            start, size = places.pop(0)
            if part != "-" and (part != "validity" or nulls):
                buffers[f"{name}.{part}"] = data[body + start : body + start + size]
        if kinds[name] in ("list", "bits"):
            nodes.pop(0)
    assert not nodes
    assert not places
    prove_buffers(metadata, buffers)
    return metadata, *values(metadata, kinds, columns, buffers)


def prove_root(entries):
    root = entries.pop("corpusmill.root")
    assert xxhash.xxh3_128_hexdigest("".join(f"{key}\0{entries[key]}\n" for key in sorted(entries)).encode()) == root


def prove_buffers(metadata, buffers):
    recorded = {key.removeprefix("xxh3."): value for key, value in metadata.items() if key.startswith("xxh3.")}
    found = {
        name: "".join(xxhash.xxh3_64_hexdigest(data[i : i + MIB]) for i in range(0, len(data), MIB))
        for name, data in buffers.items()
    }
    assert found == recorded


def values(metadata, kinds, columns, buffers):
    documents = int(metadata["documents"])
    form = "<%dH" if int(metadata["vocabulary_size"]) <= 65_536 else "<%dI"
    tokens = struct.unpack(form % int(metadata["tokens"]), buffers["tokens.values"])
    ends = struct.unpack(f"<{documents + 1}q", buffers["tokens.offsets"])
    lists = [list(tokens[ends[i] : ends[i + 1]]) for i in range(documents)]
    ids = [buffers["doc_id.values"][16 * i : 16 * i + 16].hex() for i in range(documents)]
    sides = {}
    for name, kind in columns.items():
        raw = buffers[f"{name}.values"]
        if kind == "bits":
            bit = [bool(raw[i // 8] >> i % 8 & 1) for i in range(len(tokens))]
            sides[name] = [bit[ends[i] : ends[i + 1]] for i in range(documents)]
            continue
        if kind == "string":
            at = struct.unpack(f"<{documents + 1}i", buffers[f"{name}.offsets"])
            plain = [raw[at[i] : at[i + 1]].decode() for i in range(documents)]
        else:
            plain = list(struct.unpack(FORMS[kind] % documents, raw))
        valid = buffers.get(f"{name}.validity", b"\xff" * documents)
        sides[name] = [value if valid[i // 8] >> i % 8 & 1 else None for i, value in enumerate(plain)]
    return lists, ids, sides


def manifest_hash(text):
    content = json.loads(text)
    recorded = content.pop("hash")
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return recorded, xxhash.xxh3_128_hexdigest(canonical.encode())


def place(doc_id, seed, validation_below, train, validation):
    """(split, number of the shard, order hash) of a document, as the page's "Which document goes where" says."""

    def h(purpose):
        return xxhash.xxh3_64_intdigest(doc_id, xxhash.xxh3_64_intdigest(f"{seed}/{purpose}".encode()))

    split, shards = ("validation", validation) if h("split") < validation_below else ("train", train)
    return split, (h("order") >> 32) * shards >> 32, h("order")
