"""From a token of the shards back to where it came from: document, URL, locator, and the text around it."""

from dataclasses import dataclass

from dataprep import storage
from dataprep.report.inspect import Document, any_of, find
from dataprep.report.layout import DOCUMENT_STAGES, parts
from dataprep.shards import Manifest, ShardInfo, TokenPlace, locate
from dataprep.tokens.around import Around, around

CHARACTERS = 200  # on each side of the token
WHOLE = 1 << 40  # characters: more than any text has


@dataclass(frozen=True)
class Trace:
    """``tokens``: of the document, EOS included. ``document``: None where the run has no documents any more.

    ``doubt``: why the text around is that of the tokens and not that of the document.
    """

    place: TokenPlace
    id: int
    tokens: int
    document: Document | None
    doubt: str | None
    around: Around


def trace(out: str, manifest: Manifest, info: ShardInfo, token: int, characters: int = CHARACTERS) -> Trace:
    """Token ``token`` of a shard of the run in ``out``. Raises ``ValueError`` saying why it cannot be traced."""
    place = locate(manifest, info, token)
    ids = manifest.open(info).document(place.row).tolist()
    tokenizer = storage.join(out, "tokenizer", "tokenizer.json")
    if not storage.exists(tokenizer):
        raise ValueError(f"{tokenizer}: missing, and without it nothing says what token {ids[place.index]} stands for")
    manifest.check_tokenizer(tokenizer)
    document = _document(out, place.doc_id)
    doubt = None if document else "not in this run any more; the text is decoded from the tokens"
    with_bos, data = manifest.bos_id is not None, storage.read_bytes(tokenizer)
    try:
        near = around(data, ids, place.index, with_bos, document.text if document else None, characters)
    except ValueError as error:
        doubt = f"{error}; what follows is decoded from the tokens"
        near = around(data, ids, place.index, with_bos, None, characters)
    return Trace(place, ids[place.index], len(ids), document, doubt, near)


def _document(out: str, key: bytes) -> Document | None:
    """The document as it was tokenized: of the last stage that left any."""
    left = [stage for stage in DOCUMENT_STAGES if parts(out, stage, "kept")]
    found = find(out, left[-1], "kept", any_of([key]), limit=1, characters=WHOLE) if left else []
    return found[0] if found else None
