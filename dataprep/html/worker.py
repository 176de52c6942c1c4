"""The child process: reads chunks of pages on standard input, answers page by page on standard output.

Started by ``dataprep.html.sandbox`` as ``python -m dataprep.html.worker ENGINE SECONDS NESTING MEMORY``. It leaves when
its input ends, which is what happens when its parent dies in any way.

A chunk is a length (uint32, little-endian) and that many bytes of frames; a frame is two lengths, a JSON object and
bytes. The kernel kills this process when one page has used its CPU seconds (ITIMER_PROF, default action of SIGPROF):
nothing that runs inside an extractor, in whatever language, can hold that up.
"""

import json
import logging
import os
import resource
import signal
import struct
import sys
from typing import IO, Any

from dataprep.html.charset import decode
from dataprep.html.engines import Engine, load_engine
from dataprep.html.nesting import too_deep
from dataprep.sources.items import one_line, valid_text

CHUNK = struct.Struct("<I")
FRAME = struct.Struct("<II")


def frame(values: dict[str, Any], data: bytes) -> bytes:
    head = json.dumps(values).encode()
    return FRAME.pack(len(head), len(data)) + head + data


def main(engine_name: str, seconds: float, nesting: int, memory: int) -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get among the answers
    logging.disable(logging.CRITICAL)
    engine = load_engine(engine_name)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes our input
    answers.write(frame({"ready": True}, b""))
    answers.flush()
    requests = sys.stdin.buffer
    while chunk := _read_chunk(requests):
        position = 0
        while position < len(chunk):
            head, size = FRAME.unpack_from(chunk, position)
            start = position + FRAME.size + head
            values = json.loads(chunk[position + FRAME.size : start])
            position = start + size
            signal.setitimer(signal.ITIMER_PROF, seconds)
            answer, text = _extract(engine, chunk[start:position], values["charset"], nesting, memory)
            signal.setitimer(signal.ITIMER_PROF, 0)
            answers.write(frame(answer, text))
            answers.flush()


def _read_chunk(requests: IO[bytes]) -> bytes:
    head = requests.read(CHUNK.size)
    return requests.read(CHUNK.unpack(head)[0]) if len(head) == CHUNK.size else b""


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
        return {"reason": "memory_limit", "error": f"more than {memory} bytes of address space"}, b""
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # an extension's panic is no Exception
        return {"reason": "extractor_error", "error": f"{type(error).__name__}: {one_line(error)}"}, b""


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
