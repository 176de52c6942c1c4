"""The child process: pages in, texts out, one CPU-time limit a page. Started by ``dataprep.html.others.sandbox``."""

from typing import Any

from dataprep.child.inside import Inside, cpu_limit
from dataprep.html.decode.charset import decode
from dataprep.html.others.engines import Engine, load_engine
from dataprep.html.others.nesting import too_deep
from dataprep.sources.items import one_line, valid_text


def main() -> None:
    child = Inside()
    settings = child.settings
    engine = load_engine(settings["engine"])
    for values, page in child.requests():
        with cpu_limit(settings["seconds"]):
            answer, text = _extract(engine, page, values["charset"], settings["nesting"], settings["memory"])
        child.answer(answer, text)


def _extract(
    engine: Engine, page: bytes, charset: str | None, nesting: int, memory: int
) -> tuple[dict[str, Any], bytes]:
    try:
        depth = too_deep(page, nesting)
        if depth:
            return {
                "reason": "nested_too_deep",
                "error": f"elements nest {depth} deep or more, the limit is {nesting}",
            }, b""
        decoded = decode(page, charset, html=True)
        text, title = engine(decoded.text.replace("\0", ""))  # decoding leaves no surrogates
        answer = {"charset": decoded.charset, "how": decoded.how, "replaced": decoded.replaced, "title": title[:500]}
        return answer, valid_text(text).encode()
    except MemoryError:
        return {"ended": "memory_limit", "error": f"more than {memory} bytes of address space"}, b""
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # an extension's panic is no Exception
        return {"reason": "extractor_error", "error": f"{type(error).__name__}: {one_line(error)}"}, b""


if __name__ == "__main__":
    main()
