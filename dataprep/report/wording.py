"""Numbers and foreign text made fit for a person's eyes, on a terminal as on a page."""

import re
import unicodedata

# C0 and C1 controls but tab and newline; the marks, embeddings and isolates that turn the direction of what follows;
# separators that are line ends only to some. A terminal would obey them, a browser would reorder our own words.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)
_UNITS = ("", "k", "M", "G", "T", "P")


def visible(text: str) -> str:
    """``text`` with every character that would act instead of being seen replaced by a picture of itself."""
    return _CONTROLS.sub(_picture, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    return " ".join(visible(text).split())


def paragraphs(text: str) -> str:
    """``text`` without blank lines beyond one between paragraphs."""
    return re.sub(r"\n\s*\n", "\n\n", text.strip())


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return f"⟨{code:04X}⟩"


def clip(text: str, characters: int) -> str:
    """The first ``characters`` of ``text`` and an ellipsis; a base is not parted from its combining marks."""
    if len(text) <= characters:
        return text
    end = characters
    while end > 0 and unicodedata.combining(text[end]):
        end -= 1
    return text[:end].rstrip() + " …"


def count(number: int) -> str:
    return f"{number:,}"


def short(number: float) -> str:
    """Three significant digits and a decimal unit: 12.3M."""
    value, unit = float(number), 0
    while abs(value) >= 999.5 and unit < len(_UNITS) - 1:
        value /= 1000
        unit += 1
    if unit == 0:
        return f"{value:g}" if value == round(value) else f"{value:.3g}"
    return f"{value:.3g}{_UNITS[unit]}"


def share(part: float, whole: float) -> str:
    """A percentage that never rounds something to nothing, or less than all to all."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "<0.1%"
    if 99.9 < percent < 100:
        return ">99.9%"
    return f"{percent:.0f}%" if percent in (0, 100) else f"{percent:.1f}%"


def seconds(value: float) -> str:
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def size(number: int) -> str:
    """Bytes with a decimal unit, as disks are sold."""
    return f"{number} B" if number < 1000 else f"{short(number)[:-1]} {short(number)[-1]}B"


def value(item: object) -> str:
    """A signal or a manifest's scalar as text."""
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, int):
        return count(item)
    if isinstance(item, float):
        return f"{item:.4g}"
    return one_line(str(item))
