"""How pages become text, and what a page may cost."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from dataprep.settings import Settings


class ExtractSettings(Settings):
    """The extractor and the limits for one page; a page beyond a limit is quarantined.

    ``corpusmill`` is ours; ``profile``, ``format`` and ``site_memory`` are for it alone. ``article`` keeps the text of
    an article, ``page`` all that is no boilerplate (reference pages, forums, products), ``auto`` chooses page by page.
    With ``site_memory`` some pages of every host are looked at first, and what they repeat is not kept from any page.

    ``page_bytes`` is the size after transfer encodings are undone, ``page_tags`` how many tags a page may have. The
    others are for the engines that run in a process of their own, resiliparse and trafilatura: ``page_seconds`` is CPU
    time, so that a busy machine quarantines no other pages than an idle one; ``page_nesting`` counts open elements;
    ``page_memory`` is the address space of the extracting process in bytes.
    """

    engine: Literal["corpusmill", "resiliparse", "trafilatura"] = "corpusmill"
    profile: Literal["auto", "article", "page"] = "auto"
    format: Literal["plain", "markdown"] = "plain"
    site_memory: bool = False
    page_bytes: int = Field(default=16 << 20, ge=1, le=1 << 30)
    page_tags: int = Field(default=1_000_000, ge=1)
    page_seconds: float = Field(default=10.0, gt=0, le=600)
    page_nesting: int = Field(default=2000, ge=1)
    page_memory: int = Field(default=4 << 30, ge=512 << 20)

    @field_validator("site_memory")
    @classmethod
    def _ours(cls, site_memory: bool, info: ValidationInfo) -> bool:
        engine = info.data.get("engine")
        if site_memory and engine in ("resiliparse", "trafilatura"):
            raise ValueError(f"{engine} cannot leave out blocks; allowed: false, or engine corpusmill")
        return site_memory
