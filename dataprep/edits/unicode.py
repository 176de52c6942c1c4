"""Unicode repair (mojibake, entities, control and invisible characters, odd spaces) and normalisation.

The repairs are ftfy's (Speer 2019, doi:10.5281/zenodo.2591652; version 6.3), chosen by ``repair``:

=================  ===========================================================================================  =======
mojibake           text decoded as another encoding, ``â€œ`` for ``“``; C1 controls as Windows-1252             default
html_entities      ``&eacute;``, as in ftfy not from a line with ``<`` on, where the text may be HTML           default
controls           control characters and terminal escapes removed, but tab, newline, form feed and return      default
line_breaks        ``\\r\\n``, ``\\r``, U+0085, U+2028, U+2029 to ``\\n``
ligatures          ``ﬁ`` to ``fi``
width              full-width letters and half-width kana to the usual ones; also Chinese punctuation
quotes             curly quotation marks to straight ones
=================  ===========================================================================================  =======

and our own, which come after them:

=================  =============================================================================================
zero_width         U+200B, U+2060, U+FEFF, U+180E removed; joiners stay; Khmer and Thai may need U+200B to break lines
bidi               marks, embeddings, overrides and isolates of writing direction removed
soft_hyphens       U+00AD removed
spaces             every space of Unicode (category Zs: no-break, em, ideographic …) to a plain space
=================  =============================================================================================

Decisions:
- Defaults are those of datatrove 0.10's FTFYFormatter, and NFC: what is broken is repaired, what is a style stays.
- ftfy works line by line, and so do we; lines that cannot change are found by a kernel and never become Python strings
  (`dataprep.edits.characters`). Lines of more than ``PIECE_BYTES`` are cut at spaces: ftfy's time for a line can be
  quadratic (``&amp;amp;amp;…``), so this bounds it for a document of any size, to 20 s a megabyte at worst.

==================  =======================================================
unicode.repaired    lines (pieces) that were changed in any way
unicode.mojibake    lines (pieces) in which mojibake was decoded
==================  =======================================================
"""

import unicodedata
from functools import cache
from importlib.metadata import version
from typing import Any, ClassVar, Literal

import ftfy
import numpy as np
import pyarrow as pa

from dataprep.edits.base import count_by_document, replace_spans
from dataprep.edits.characters import BIDI, SOFT_HYPHEN, SPACES, ZERO_WIDTH, Form, character_tables, find_pieces
from dataprep.steps import Step, with_columns
from dataprep.text.view import text_of

PIECE_BYTES = 4_000

Repair = Literal[
    "mojibake",
    "html_entities",
    "controls",
    "line_breaks",
    "ligatures",
    "width",
    "quotes",
    "zero_width",
    "bidi",
    "soft_hyphens",
    "spaces",
]

COLUMNS = pa.schema([("unicode.repaired", pa.int32()), ("unicode.mojibake", pa.int32())])


class Unicode(Step):
    """Changes ``text`` by the repairs in ``repair``, then to the normalisation form ``normalise``.

    Adds ``unicode.repaired`` and ``unicode.mojibake``.
    """

    name: ClassVar[str] = "unicode"
    edits: ClassVar[bool] = True
    schema: ClassVar[pa.Schema] = COLUMNS
    repair: tuple[Repair, ...] = ("mojibake", "html_entities", "controls")
    normalise: Form = "NFC"

    def depends_on(self) -> dict[str, Any]:
        return {"ftfy": version("ftfy")}

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        text = text_of(batch).utf8
        tables = character_tables(self.repair, self.normalise)
        entities = "html_entities" in self.repair
        pieces, unescape = find_pieces(text.values, text.offsets, *tables, entities, PIECE_BYTES)
        changed, decoded, new = [], [], []
        for (start, end), replace_entities in zip(pieces.tolist(), unescape.tolist(), strict=True):
            piece = text.values[start:end].tobytes().decode()
            repaired, mojibake = repair_piece(piece, self.repair, self.normalise, bool(replace_entities))
            changed.append(repaired != piece)
            decoded.append(mojibake)
            if repaired != piece:
                new.append(repaired)
        pieces_changed = pieces[np.array(changed, bool)]
        counts = {
            "unicode.repaired": count_by_document(text.offsets, pieces_changed),
            "unicode.mojibake": count_by_document(text.offsets, pieces[np.array(decoded, bool)]),
        }
        edited = replace_spans(batch, pieces_changed, pa.array(new, pa.large_string()))
        return with_columns(edited, COLUMNS, counts)


def repair_piece(text: str, repair: tuple[Repair, ...], form: Form, replace_entities: bool) -> tuple[str, bool]:
    """``text`` repaired and normalised, and whether mojibake was decoded in it."""
    fixed, steps = ftfy.fix_and_explain(text, _config(repair, form)._replace(unescape_html=replace_entities))
    mojibake = any(step.action in _DECODING or step.parameter in _DECODING for step in steps or ())
    cleaned = fixed.translate(_translation(repair))
    if cleaned != fixed and form != "none":
        cleaned = unicodedata.normalize(form, cleaned)
    return cleaned, mojibake


# steps of ftfy's explanation
_DECODING = {"encode", "transcode", "decode", "decode_inconsistent_utf8", "fix_c1_controls"}


@cache
def _config(repair: tuple[Repair, ...], form: Form) -> ftfy.TextFixerConfig:
    return ftfy.TextFixerConfig(
        remove_terminal_escapes="controls" in repair,
        fix_encoding="mojibake" in repair,
        fix_c1_controls="mojibake" in repair,
        fix_latin_ligatures="ligatures" in repair,
        fix_character_width="width" in repair,
        uncurl_quotes="quotes" in repair,
        fix_line_breaks="line_breaks" in repair,
        remove_control_chars="controls" in repair,
        normalization=None if form == "none" else form,
    )


@cache
def _translation(repair: tuple[Repair, ...]) -> dict[int, str]:
    """What each character becomes that one of our own repairs removes or replaces."""
    becomes = {
        "zero_width": (ZERO_WIDTH, ""),
        "bidi": (BIDI, ""),
        "soft_hyphens": (SOFT_HYPHEN, ""),
        "spaces": (SPACES, " "),
    }
    return {ord(c): new for name, (characters, new) in becomes.items() if name in repair for c in characters}
