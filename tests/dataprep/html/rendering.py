"""Pages through the scanner and the renderer, for tests."""

import numpy as np

from dataprep.html.dom.records import count_tags, room_for
from dataprep.html.dom.scan import scan, tables
from dataprep.html.rendering.render import render


def scanned(html):
    b = np.frombuffer(html if isinstance(html, bytes) else html.encode(), np.uint8)
    dom = room_for(count_tags(b))
    scan(b, dom, tables())
    return b, dom


def rendered(b, dom, markdown=False, at=0):
    """The text, written into exactly as many bytes as the renderer asks for."""
    room = -render(b, dom, np.empty(0, np.uint8), at, markdown)
    memory = np.full(room + 8, 0xFF, np.uint8)
    end = render(b, dom, memory[:room], at, markdown)
    assert at <= end <= room
    assert (memory[:at] == 0xFF).all()
    assert (memory[room:] == 0xFF).all()
    return memory[at:end].tobytes()


def text(html, markdown=False):
    return rendered(*scanned(html), markdown).decode()
