"""What a recipe may say about repeated passages."""

from typing import Literal

from pydantic import Field, model_validator

from dataprep.settings import Settings


class PassageSettings(Settings):
    """Text that the corpus has many times: lines and paragraphs seen more than so many times, and stretches of
    ``substring_tokens`` words or more that were seen before.

    Equal is what has the same words in any case, whatever stands between them. Six times are Llama 3's limit for lines
    (arXiv 2407.21783, section 3.1.1), 50 words that of Lee et al. 2022 (arXiv 2107.06499), there of tokens; ``null``
    leaves that kind alone. Lines and paragraphs with fewer letters and digits than ``characters`` stay: list marks,
    braces, "Yes.". ``keep: first`` leaves a line or paragraph where it stands first, in the document with the smallest
    id; ``none`` nowhere, as Llama 3 did. Of a stretch of words the first always stays.
    """

    lines: int | None = Field(default=6, ge=1)
    paragraphs: int | None = Field(default=6, ge=1)
    characters: int = Field(default=20, ge=1)
    substring_tokens: int | None = Field(default=50, ge=8, le=1000)
    keep: Literal["first", "none"] = "first"

    @model_validator(mode="after")
    def _something_to_do(self) -> "PassageSettings":
        if self.lines is None and self.paragraphs is None and self.substring_tokens is None:
            raise ValueError("one of lines, paragraphs and substring_tokens must be a number, or leave passages out")
        return self
