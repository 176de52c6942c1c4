"""Against a real HTML5 parser: the same words in the same order, inside the same elements."""

import re

import pytest

from dataprep.html.decode.charset import decode
from tests.dataprep.html.fuzz import real_pages
from tests.dataprep.html.reference import lexbor_pieces, own_pieces, words

# what differs on purpose (see `scan`), by a word of the page's title: how many words
LEFT_OUT = {"Buses": 10, "Veteran": 7}  # escaped markup in a noscript of the head, which a parser takes for text
ELSEWHERE = {
    "talks": 1,  # a link that is not closed ends with its block
    "Obenauf": 1,
    "Ökonomenstimme": 1,
    "Tomaten": 3,  # a link around a block that holds another link
    "Beautiful": 4,
}


def test_real_pages_have_the_words_of_a_real_parser_in_the_same_elements(shared_data):
    left_out, elsewhere = {}, {}
    count = 0
    for data in real_pages(shared_data):
        page = decode(data, None, html=True).text
        theirs, ours = words(lexbor_pieces(page)), words(own_pieces(page))
        count += 1
        if theirs != ours:
            title = re.search("<title[^>]*>([^<]*)", page)[1]
            name = next((word for word in (*LEFT_OUT, *ELSEWHERE) if word in title), title)
            if [word for word, _ in theirs] == [word for word, _ in ours]:
                elsewhere[name] = sum(one != other for one, other in zip(theirs, ours, strict=True))
            else:
                assert len(theirs) > len(ours), title
                left_out[name] = len(theirs) - len(ours)
    assert count == 658
    assert (left_out, elsewhere) == (LEFT_OUT, ELSEWHERE)


def described(pieces):
    """Words, each with what it is in: ``one[a,h2]``."""
    found = []
    for word, (link, heading, pre, item, cell) in words(pieces):
        around = [
            name for name, is_in in (("a", link), (heading, heading), ("pre", pre), ("li", item), ("td", cell)) if is_in
        ]
        found.append(word + (f"[{','.join(around)}]" if around else ""))
    return " ".join(found)


AS_A_PARSER = [
    "<a href=x><p>one</p><p>two</p></a>three",
    "<p><b>one<p>two</b>three",
    "<p>one<div>two<p>three</div>four",
    "<html><body><div/>one<a name='x'/>three<p/>four<a href=y />five</body></html>",
    "<body>one<script src=x />two</script>three",
    "<head><template><p>one</template><title>x</title></head>two",
    "<head><noscript><link><style>x</style></noscript><title>t</title></head>one",
    "<head><noscript><p>one</p></noscript><title>t</title></head>two",
    "<head><noscript><img src=x></noscript><title>t</title></head>two",
    "<body><noscript><p>one</p></noscript>two",
    "<head><title>one<body><p>two",
    "<body>one<textarea>two<p>three",
    "<body>one<plaintext>two<p>three</plaintext>four",
    "<body>one<xmp>two<p>three</xmp>four<xmp></xmp>",
    "<body>one<listing>two<p>three</listing>four",
    "one<br/>two</br>three<BR>four",
    "one</p>two<p>three</P>four",
    "<P>one<DIV CLASS=X>two</DIV><A HREF=x>three</A>",
    "<p class='a'id='b'hidden>one<a class='x'href='y'>two</a>",
    "<span style='color:red' style='display:none'>one</span>two<i hidden=until-found hidden>three</i>",
    "<span hidden=until-found>one</span>two<span hidden=hidden>three</span>",
    "<b style='backface-visibility: hidden'>one</b><b style='Display : None'>two</b><b style='displays:none'>three</b>",
    "<details><summary>one</summary>two</details><dialog>three</dialog>four",
    "<object data=x><p>one</p></object>two<iframe srcdoc='<p>x'>three</iframe>four",
    "<select><option>one<option>two</select>three<select><optgroup label=x><option>four</optgroup></select>five",
    "<select><p>one</select>two<option>three<p>four</p></option>five",
    "<p>one<button><p>two</button>three<button>four<button>five</button>six",
    "<h1>one<h2>two</h1>three</h2>four<h1>five<p>six<h2>seven</h2>eight</p></h1>nine",
    "<ul><li>one<li>two<ul><li>three</ul>four</ul>five<ul><li><div>six<li>seven</div>eight</ul>nine",
    "<dl><dt>one<dd>two<dt>three</dl>four",
    "<svg><text>one</text><title>x</title><p>two</svg>three",
    "<svg><foreignObject><p>one</p></foreignObject></svg>two<svg/>three<svg><path/>four",
    "<svg><div>one</div></svg>two<math><mi>x</mi><p>three</p></math>four",
    "<svg><style><![CDATA[<b>]]></style></svg>one<svg><![CDATA[<p>two]]></svg>three",
    "<body>one<body class=x>two</body>three</html>four<head><title>five</title></head>six",
    "<title>x</title>one</html><p>two",
    "<table><tr><td><p>one</table></p>two<table><caption>three<tr><td>four</table>five",
    "<p>one<table><tr><td>two<table><tr><td>three</table>four<td>five</table>six",
    "<table><tbody><tr><td>one<tr><th>two<tfoot><tr><td>three</table>four",
    "<p><![CDATA[one]]>two> three<!x y>four<?php echo '>' ?>five</ x>six<//x>seven",
    "<p>one<!-->two--><!--->three--><!-- x --!>four<!-- a -- b>five -->six<!-- --!> -->",
    "<p>1<2 a < b <3 <- x</p>< p>y</p><",
    "<p>a&amp;b &lt;i&gt; &copy &notit; &#60;b&#62; &#x3c; &ampx AT&T",
    "<a href=x/>one</a>two<a href=/x/ >three",
    "<a title='x>y' href=z>one</a><a title=\"a>b>c\">two",
    "<pre>\none\n two</pre>three",
    "<p>one<div class='x",
    "<p>one</p",
    "<p>one<",
    "<embed>one</embed>two<keygen>three<image>four<frame>five<input value=x>six",
    "<p/>one<br/ >two<hr/>three<div/class=x>four<p\fclass=x>five",
    "<p>one<span>two<div>three</div></p>four<a href=x>five<a href=y>six</a>seven</a>",
]


@pytest.mark.parametrize("page", AS_A_PARSER)
def test_small_pages_are_read_as_a_parser_reads_them(page):
    assert described(own_pieces(page)) == described(lexbor_pieces(page))


@pytest.mark.parametrize(
    ("page", "ours", "theirs"),
    [
        ("<div><a href=x>one</div>two<p>three", "one[a] two three", "one[a] two[a] three[a]"),
        ("x<table>one<tr><td>two</td>three</table>four", "x one two[td] three four", "xonethree two[td] four"),
        ("<td>one<td>two<tr>three", "one[td] two[td] three", "onetwothree"),
        ("<form>one<form>two</form>three</form>four", "one two three four", "onetwo threefour"),
        ("<frameset><noframes><p>one</noframes></frameset>", "one", "<p>one"),
        ("<?xml version='1.0'?><div/>one<script/>two<a href='x'/>three", "onetwothree", "one"),
        ("<?xml version='1.0'?><p>a<![CDATA[ <b> ]]>c", "a <b> c", "a ]]>c"),
    ],
)
def test_what_differs_from_a_parser_differs_on_purpose(page, ours, theirs):
    assert (described(own_pieces(page)), described(lexbor_pieces(page))) == (ours, theirs)
