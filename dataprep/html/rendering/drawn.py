"""What MathJax 2 drew of a formula, before the script that has its TeX: it would be there twice."""

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom.attributes import attribute_value, is_tex
from dataprep.html.dom.records import Records
from dataprep.html.dom.tags import name_hash
from dataprep.text.utf8 import Bytes

_CLASS, _TYPE = np.uint64(name_hash("class")), np.uint64(name_hash("type"))
_MATHJAX = np.frombuffer(b"MathJax", np.uint8)
_DRAWN = 2  # elements: a preview and the formula


@njit(nogil=True, cache=True)
def drop_drawn(b: Bytes, nodes: Records, layout: Records, script: int) -> None:
    """Leave out the elements of MathJax right before a script of TeX."""
    start, end = attribute_value(b, int(nodes[script]["attributes"]), _TYPE)
    if not is_tex(b, start, end):
        return
    parent = nodes[script]["parent"]
    after = script
    for _ in range(_DRAWN):
        node = after - 1
        while node > parent and nodes[node]["parent"] != parent:
            node = nodes[node]["parent"]
        if node <= parent or not _is_drawn(b, nodes, node):
            return
        for inner in range(node, after):
            layout[inner]["dropped"] = 1
        after = node


@njit(nogil=True, cache=True)
def _is_drawn(b: Bytes, nodes: Records, node: int) -> bool:
    """Whether a class is one of MathJax: ``MathJax``, ``MathJax_Preview``, ``mjx-chtml MathJax_CHTML`` …"""
    start, end = attribute_value(b, int(nodes[node]["attributes"]), _CLASS)
    for i in range(start, end - len(_MATHJAX) + 1):
        same = 0
        while same < len(_MATHJAX) and b[i + same] == _MATHJAX[same]:
            same += 1
        if same == len(_MATHJAX):
            return True
    return False
