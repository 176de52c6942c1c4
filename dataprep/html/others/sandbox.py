"""The parent's side of the extracting child: a page that makes an extractor spin, crash or grow is a named failure.

Pages go out in chunks; the pages after one that ended the child are sent to the next child. A page that ended in
``memory_limit`` or ``crash`` is tried once more, alone in a new child, and only that counts (see `dataprep.child`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dataprep.child.parent import Answer, Child, Ended, Request
from dataprep.html.settings import ExtractSettings

CHUNK_PAGES = 64
CHUNK_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Extracted:
    text: str
    title: str
    charset: str
    how: str
    replaced: int


@dataclass(frozen=True, slots=True)
class Failed:
    """``reason`` is time_limit, memory_limit, crash, nested_too_deep, too_large or extractor_error."""

    reason: str
    error: str


class Sandbox(Child):
    """A child process that extracts pages. Not for several threads at once.

    ``engine`` takes the place of ``settings.engine`` and may be any function, as ``module:function``; recipes cannot
    name one, tests do, to have extractors that misbehave in the real child.
    """

    def __init__(self, limits: ExtractSettings, engine: str | None = None) -> None:
        self.limits = limits
        super().__init__(
            "dataprep.html.others.worker",
            {
                "engine": engine or limits.engine,
                "seconds": limits.page_seconds,
                "nesting": limits.page_nesting,
                "memory": limits.page_memory,
                "page_bytes": limits.page_bytes,  # kept here; a child is borrowed by all of its settings
            },
            called="extracting process",
            memory_field="extract.page_memory",
        )

    def extract(self, pages: Sequence[tuple[bytes | memoryview, str | None]]) -> list[Extracted | Failed]:
        """The result for each (page, declared charset), in their order.

        Raises ``RuntimeError`` if no child starts, or if the machine has too little memory to extract a page.
        """
        limit = self.limits.page_bytes
        results: list[Extracted | Failed] = []
        while len(results) < len(pages):
            first = len(results)
            if len(pages[first][0]) > limit:
                results.append(Failed("too_large", f"the page has {len(pages[first][0])} bytes, the limit is {limit}"))
                continue
            last, size = first, 0
            while last < len(pages) and last - first < CHUNK_PAGES and size < CHUNK_BYTES:
                if len(pages[last][0]) > limit:
                    break
                size += len(pages[last][0])
                last += 1
            requests: list[Request] = [({"charset": charset}, page) for page, charset in pages[first:last]]
            answers = self.ask(requests, self.limits.page_seconds)
            latest = answers[-1]
            if isinstance(latest, Ended) and latest.doubtful:
                values, page = requests[len(answers) - 1]
                what = f"one page of {len(page)} bytes"
                answers[-1] = self.ask_alone((values, page), self.limits.page_seconds, what)
            results += map(_result, answers)
        return results


def _result(answer: Answer | Ended) -> Extracted | Failed:
    if isinstance(answer, Ended):
        return Failed(answer.reason, answer.error)
    values, data = answer
    if "reason" in values:
        return Failed(values["reason"], values["error"])
    return Extracted(data.decode(), values["title"], values["charset"], values["how"], values["replaced"])
