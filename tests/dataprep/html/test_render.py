"""What a reader sees is what is written: golden cases for each element, then any page at all."""

import numpy as np
import pytest

from dataprep.html.rendering.render import render
from tests.dataprep.html.rendering import rendered, scanned, text

LONG = "A paragraph in a cell that only places it, long enough that nobody would read it in a line of a table."


@pytest.mark.parametrize(
    ("html", "plain", "markdown"),
    [
        ("<h1>T <b>x</b><br>y</h1><p>a<p>b<div>c</div><div>d</div>", "T x y\n\na\n\nb\n\nc\nd",
         "# T x y\n\na\n\nb\n\nc\n\nd"),
        ("<h2><div>a</div></h2><h6>b</h6>", "a\n\nb", "## a\n\n###### b"),
        ("a \n\t b<b>c</b>d<wbr>e&nbsp;&nbsp; f", "a bcde f", "a b**c**de f"),
        ("a<br>b<br><br>c<br> <br> <br>d<br>", "a\nb\n\nc\n\nd", "a\\\nb\n\nc\n\nd"),
        ("<br>a<p><br></p><p> &nbsp; </p>", "a", "a"),
        ("so&shy;ft z&#8203;w\u200b\u2060\ufeff x\u2003\u2028\u3000y \x01\x0bz\x7f", "soft zw x y z", "soft zw x y z"),
        ("می\u200cخواهم", "می\u200cخواهم", "می\u200cخواهم"),
        ("<q>a <q>b</q></q>", "“a “b””", "“a “b””"),
        ("<ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp>字<rt>じ</rt></ruby>", "漢(かん)字(じ)", "漢(かん)字(じ)"),
        ("<a href=/a>One</a><a href=/b>Two</a>", "One Two", "[One](/a) [Two](/b)"),
        ("<h2>Head<a href=#h>¶</a></h2>", "Head", "## Head"),
        ("<img alt=x>a<svg><text>b</text></svg><select><option>c</select>", "a", "a"),
        ("a<hr>b", "a\nb", "a\n\n---\n\nb"),
        ("<hr>a<nav>b<hr></nav>", "a\n\nb", "a\n\nb"),
        ("<details><summary>a</summary>b</details><figure><img><figcaption>c</figcaption></figure>", "a\nb\n\nc",
         "a\n\nb\n\nc"),
        ("<fieldset><legend>a</legend>b</fieldset><section>c</section>d", "a\nb\n\nc\n\nd", "a\n\nb\n\nc\n\nd"),
        ("a &lt; b &amp;amp; &eacute;&#8212;&#x1F600; &copy2", "a < b &amp; é—😀 ©2", "a < b &amp; é—😀 ©2"),
        ("", "", ""),
        ("<p>\0</p> \u200b", "", ""),
    ],
)  # fmt: skip
def test_blocks_and_white_space(html, plain, markdown):
    assert text(html) == plain
    assert text(html, markdown=True) == markdown


@pytest.mark.parametrize(
    ("html", "plain", "markdown"),
    [
        ("<p>x</p><ul><li>a<li>b<ol><li>c<li>d</ol><li>e</ul>y", "x\n\n- a\n- b\n  1. c\n  2. d\n- e\n\ny",
         "x\n\n- a\n- b\n  1. c\n  2. d\n- e\n\ny"),
        ("<ol><li>a<ul><li>b", "1. a\n  - b", "1. a\n   - b"),
        ("<ol start=9><li>a<li>b<li value=-3>c<li>d</ol>", "9. a\n10. b\n-3. c\n-2. d", "9. a\n10. b\n-3. c\n-2. d"),
        ("<ol start=99999999999999999999><li>a<li>b</ol>", "999999999. a\n999999999. b", "999999999. a\n999999999. b"),
        ("<ul><li><p>a<p>b<li>c</ul>", "- a\n\n  b\n\n- c", "- a\n\n  b\n\n- c"),
        ("<ul><li>a<br>b</ul>", "- a\n  b", "- a\\\n  b"),
        ("<ul><li>• a<li>1. b<li>- c</ul>", "• a\n1. b\n- c", "• a\n1. b\n- c"),
        ("<ul><li><h3>a</h3>b<li><article>c</article></ul>", "a\n\nb\n\nc", "### a\n\nb\n\nc"),
        ("<ul><li><ul><li>a</ul></ul>", "  - a", "  - a"),
        ("<ul><li>" * 12 + "a", " " * 14 + "- a", " " * 14 + "- a"),
        ("<dl><dt>a<dd>b<dd><p>c<p>d<dt>e</dl>", "a\n  b\n  c\n\n  d\n\ne",
         "a\n:   b\n:   c\n\n    d\n\ne"),
        ("<blockquote><p>a<p>b<blockquote>c</blockquote></blockquote>d", "a\n\nb\n\nc\n\nd",
         "> a\n>\n> b\n>\n> > c\n\nd"),
        ("<ul><li>a<blockquote>b</blockquote></ul>", "- a\n\n  b", "- a\n\n  > b"),
    ],
)  # fmt: skip
def test_lists_and_quotations(html, plain, markdown):
    assert text(html) == plain
    assert text(html, markdown=True) == markdown


@pytest.mark.parametrize(
    ("html", "plain", "markdown"),
    [
        ("<table><caption>t</caption><tr><th><th>A<th>B<tr><th>r<td>1<td>2|3</table>",
         "t\n| A | B\nr | 1 | 2|3", "t\n\n| | A | B |\n| --- | --- | --- |\n| r | 1 | 2\\|3 |"),
        ("<table><td>a<td>b<tr><td><td>c</table>x", "a | b\n| c\n\nx", "| a | b |\n| --- | --- |\n| | c |\n\nx"),
        ("<table><tr><td>a<td>&nbsp;<td>b<tr><td>c<td><td>d</table>", "a | b\nc | d",
         "| a | b |\n| --- | --- |\n| c | d |"),
        ("<table><tr><td>a<br>b<p>c<td><ul><li>d<li>e</ul></table>", "a b c | d e", "| a b c | d e |\n| --- | --- |"),
        ("<table><tr><td>a<td>b</table><table><tr><td>c<td>d</table>", "a | b\n\nc | d",
         "| a | b |\n| --- | --- |\n\n| c | d |\n| --- | --- |"),
        ("<table><tr><td>a<tr><td>b</table>", "a\nb", "a\n\nb"),
        (f"<table><tr><td><p>{LONG}<p>{LONG}<td>x</table>", f"{LONG}\n\n{LONG}\n\nx", f"{LONG}\n\n{LONG}\n\nx"),
        ("<table><tr><td><h2>a</h2>b<td>c</table>", "a\n\nb\nc", "## a\n\nb\n\nc"),
        ("<table><tr><td>a<td><table><tr><td>b<td>c</table></table>", "a\n\nb | c", "a\n\n| b | c |\n| --- | --- |"),
        ("<table><tr><td>a<td>b<tr><td>" + "<p>c" * 20 + "<td>d</table>", "a | b\nc" + "\n\nc" * 19 + "\n\nd",
         "| a | b |\n| --- | --- |\n\nc" + "\n\nc" * 19 + "\n\nd"),
        ("<ul><li><table><tr><td>a<td>b</table>c</ul>", "- a | b\n\n  c", "- | a | b |\n  | --- | --- |\n\n  c"),
    ],
)  # fmt: skip
def test_tables(html, plain, markdown):
    assert text(html) == plain
    assert text(html, markdown=True) == markdown


@pytest.mark.parametrize(
    ("rows", "plain"),
    [
        ("<th rowspan=2>a<th colspan=2>b<tr><td>1<td>2", "a | b |\n| 1 | 2"),
        ("<tr><th rowspan=2>a<th colspan=2>b<th>c<tr><td>1<td>2<td>3", "a | b | | c\n| 1 | 2 | 3"),
        ("<tr><td>a<td>b<td>c<tr><td rowspan=2>d<td>e<td rowspan='2'>f<tr><td>g", "a | b | c\nd | e | f\n| g |"),
        ("<tr><td rowspan=3>a<td>b<tr><td rowspan=2>c<tr><td>d<tr><td>e<td>f", "a | b |\n| c |\n| | d\ne | f |"),
        ("<tr><td>a<td>b<td>c<tr><td><td>2<td><tr><td>3<td><td>", "a | b | c\n| 2 |\n3 | |"),
        ("<tr><td>a<td>b<tr><td colspan=2>Title<tr><td>c<td>d", "a | b\nTitle\nc | d"),
        ("<tr><td>a<td>b<tr><td>c<td>&nbsp;", "a | b\nc |"),
        ("<thead><tr><td rowspan=0>a<td>b<tr><td>c<tbody><tr><td>d<td>e", "a | b\n| c\nd | e"),
        ("<tr><td rowspan=9>a<td>b<tbody><tr><td>c<td>d", "a | b\nc | d"),
        ("<tr><td colspan=0>a<td colspan=x rowspan=-2>b<td colspan=' 2 '>c<td>d<tr><td>1<td>2<td>3<td>4<td>5",
         "a | b | c | | d\n1 | 2 | 3 | 4 | 5"),
        ("<tr><td rowspan=2>a<td><table><tr><td>x<td>y<tr><td>z<td>w</table><tr><td>c<tr><td>d<td>e",
         "a\n\nx | y\nz | w\n\n| c\nd | e"),
    ],
)  # fmt: skip
def test_each_cell_is_in_the_column_that_spans_leave_to_it(rows, plain):
    assert text(f"<table>{rows}</table>") == plain


def test_rows_of_markdown_are_as_long_as_the_header_and_that_as_the_longest():
    assert text("<table><tr><td>a<td>b<tr><td>1<td>2<td>3<tr><td>c<tr><td><td>d<td></table>", markdown=True) == (
        "| a | b | |\n| --- | --- | --- |\n| 1 | 2 | 3 |\n| c | | |\n| | d | |"
    )
    assert text("<table><tr><th rowspan=2>a<th colspan=2>b<tr><td>1<td>2</table>", markdown=True) == (
        "| a | b | |\n| --- | --- | --- |\n| | 1 | 2 |"
    )


@pytest.mark.parametrize(
    "html",
    [
        "<table>" + "<tr><td colspan=1000 rowspan=65534>a<td colspan=99999999999 rowspan=99999999999>b" * 300,
        "<table><tr>" + "<td rowspan=65534>a" * 300 + "<tr><td>b" * 300,
        "<table><tr>" + "<td>a" * 300 + "<tr><td>b<td>c" * 300,
        "<table><tr>" + "<td>a</td>x" * 300,
        "<table>" + "<td>a</td><tr><td>b</td></tr>" * 300,
    ],
)
def test_spans_and_wide_rows_add_no_more_than_they_deserve(html):
    for markdown in (False, True):
        assert len(text(html, markdown)) < 20 * len(html)


def test_cells_after_text_between_cells_are_no_part_of_its_row():
    assert text("<table><tr><td>a<td>b</td>x<td>c<td>d<tr><td>e<td>f</table>") == "a | b | |\nx\nc\nd\ne | f | |"


def test_cells_beyond_the_sixty_third_keep_their_place():
    row = "<tr>" + "".join(f"<td>{i}" for i in range(100))
    assert text(f"<table>{row}{row}<tr><td>a{'<td>' * 98}<td>b</table>") == "\n".join(
        [" | ".join(map(str, range(100)))] * 2 + ["a" + " |" * 99 + " b"]
    )


@pytest.mark.parametrize(
    ("html", "plain", "markdown"),
    [
        ("<pre>\n\n  a  \n\n\n\tb\r\nc &lt;</pre>d", "  a\n\n\n\tb\nc <\n\nd", "```\n  a\n\n\n\tb\nc <\n```\n\nd"),
        ("<pre>a<br>b<b>c</b> \n</pre>", "a\nbc", "```\na\nbc\n```"),
        ("<pre><div>a</div><div> b</div>\n<div>c\n</div><div>d</div></pre>", "a\n b\nc\nd", "```\na\n b\nc\nd\n```"),
        ("<pre class='x language-c++'>a</pre>", "a", "```c++\na\n```"),
        ("<pre><code class=lang-py>a</code></pre>", "a", "```py\na\n```"),
        ("<div class=highlight-js><div><pre>a</pre></div></div>", "a", "```js\na\n```"),
        ("<pre>a ``` b</pre>", "a ``` b", "````\na ``` b\n````"),
        ("<ul><li>x<pre>a\n b</pre></ul>", "- x\n\n  a\n   b", "- x\n\n  ```\n  a\n   b\n  ```"),
        ("<blockquote><pre>a\n\nb</pre></blockquote>", "a\n\nb", "> ```\n> a\n>\n> b\n> ```"),
        ("<table><tr><td><pre>1\n2</pre><td><pre>a\nb</pre></table>", "a\nb", "```\na\nb\n```"),
        ("<table><tr><td><pre>1\n2</pre></table>", "1\n2", "```\n1\n2\n```"),
        ("<table><tr><td>x<td>y<tr><td><pre>a</pre><td><pre>b</pre></table>", "x | y\na\nb",
         "| x | y |\n| --- | --- |\n\n```\na\n```\n\n```\nb\n```"),
        ("<pre> \n&nbsp;\n</pre>a<pre></pre>", "a", "a"),
        ("<xmp>\n<b>a</b>\n</xmp>b<listing>c</listing>",
         "<b>a</b>\n\nb\n\nc", "```\n<b>a</b>\n```\n\nb\n\n```\nc\n```"),
    ],
)  # fmt: skip
def test_preformatted_text(html, plain, markdown):
    assert text(html) == plain
    assert text(html, markdown=True) == markdown


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("x<sup>2</sup>+10<sup>-3</sup> H<sub>2</sub>O Ca<sup>2+</sup> 2<sup>(3+1)=1</sup>",
         "x²+10⁻³ H₂O Ca²⁺ 2⁽³⁺¹⁾⁼¹"),
        ("10<sup>−3</sup> <sup>14</sup>C", "10⁻³ ¹⁴C"),
        ("x<sup>n</sup> e<sup>kt</sup> a<sub>i</sub> x<sub>max</sub> x<sub>n+1</sub> e<sup>λ</sup>",
         "x^n e^(kt) a_i x_max x_(n+1) e^λ"),
        ("1<sup>st</sup> XX<sup>e</sup> 2<sup>ème</sup> n<sup>o</sup> 3<sup>a</sup>", "1st XXe 2ème nº 3ª"),
        ("A<sup>TM</sup> B<sup>®</sup> C<sup>†</sup> D<sup>new</sup>", "A™ B® C† D new"),
        ("a<sup>[1]</sup> b<sup><a href=#f>2</a></sup> c<a href=#f><sup>3</sup></a>", "a[1] b[2] c[3]"),
        ("<a href=/a>km<sup>2</sup></a>", "km²"),
        ("a <sup>note</sup> <sub>a sentence, all of it below the line</sub>",
         "a note a sentence, all of it below the line"),
        ("a<sup>b<br>c</sup><sub></sub><sup> </sup>", "ab\nc"),
        ("a<sup>b<sup>2</sup></sup>", "a^(b²)"),
        ("<pre>x<sup>2</sup>\ny<sup>n</sup></pre>", "x²\ny^n"),
    ],
)  # fmt: skip
def test_scripts_above_and_below_the_line(html, expected):
    assert text(html) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<math alttext="{\\displaystyle x&lt;1}"><mi>x</mi></math>', "$x<1$"),
        (
            "<math display=block><mi>x</mi><annotation encoding='application/x-tex'>x\n  +1</annotation></math>",
            "$$x +1$$",
        ),
        ('<script type="math/tex; mode=display">a</script>', "$$a$$"),
        ('a <script type="math/tex">b</script>.', "a $b$."),
        ('<img class="mwe-math-fallback-image-inline" alt="{\\textstyle a}">', "$a$"),
        ('<img class="latex" alt="$a$"> <img class="latex" alt="\\(b\\)">', "$a$ \\(b\\)"),
        ("<math alttext='&nbsp;é&eacute;'></math>", "$éé$"),
    ],
)
def test_formulas_are_tex(html, expected):
    assert text(html) == text(html, markdown=True) == expected


@pytest.mark.parametrize(
    ("inside", "tex"),
    [
        ("<mfrac><mi>a</mi><mi>b</mi></mfrac><msup><mi>x</mi><mn>2</mn></msup>", "\\frac{a}{b}x^{2}"),
        ("<mfrac> <mn>1</mn> <mrow> <mi>x</mi> <mo>+</mo> <mn>2</mn> </mrow> </mfrac>", "\\frac{1}{x+2}"),
        ("<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover>"
         "<msub><mi>x</mi><mi>i</mi></msub>", "∑_{i=1}^{n}x_{i}"),
        ("<msubsup><mi>x</mi><mn>1</mn><mi>n</mi></msubsup><munder><mi>lim</mi><mi>n</mi></munder>"
         "<mover><mi>x</mi><mo>^</mo></mover>", "x_{1}^{n}\\mathrm{lim}_{n}x^{\\hat{}}"),
        ("<msup><mrow><mo>(</mo><mi>a</mi><mo>)</mo></mrow><mn>2</mn></msup>", "{(a)}^{2}"),
        ("<msqrt><mi>x</mi><mo>+</mo><mn>1</mn></msqrt>", "\\sqrt{x+1}"),
        ("<mroot><mroot><mi>x</mi><mn>3</mn></mroot><mn>2</mn></mroot>", "\\sqrt[2]{\\sqrt[3]{x}}"),
        (f"<mroot><mi>{'x ' * 200}</mi><mn>3</mn></mroot>", f"{{{'x ' * 199}x}}^{{1/3}}"),
        ("<mroot><mi>x</mi><mn>3</mn>y</mroot>", "{x}^{1/3}y"),
        ("<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mi>a</mi></mtd></mtr><mtr><mtd/><mtd><mn>2</mn></mtd></mtr></mtable>",
         "\\begin{matrix}1&a\\\\&2\\end{matrix}"),
        ("<mfenced><mi>a</mi><mi>b</mi></mfenced>", "(a,b)"),
        ("<mfenced open='{' close='' separators=' ; '><mi>a</mi><mi>b</mi></mfenced>", "\\{a;b"),
        ("<mfenced open=[ close=] separators=''><mi>a</mi><mi>b</mi></mfenced>", "[ab]"),
        ("<mi>sin</mi><mo>&ApplyFunction;</mo><mi>x</mi>\u2062<mi>&alpha;</mi>", "\\mathrm{sin}xα"),
        ("<mi>x</mi><mtext>&nbsp;if 5% </mtext><mi>y</mi>", "x\\text{ if 5\\% }y"),
        ("<mo>{</mo><mi>_</mi><mo>\\</mo><mo>~</mo><mo>&#38;</mo><mo>}</mo>", "\\{\\_\\backslash \\sim \\&\\}"),
        ("<mfrac><mrow/></mfrac><msup><mi></mi><mn>2</mn></msup>", "\\frac{}{}^{2}"),
        ("<semantics><mi>x</mi><annotation-xml encoding=MathML-Content><ci>x</ci></annotation-xml></semantics>", "x"),
    ],
)  # fmt: skip
def test_mathml_without_tex_is_written_as_tex(inside, tex):
    assert text(f"<p>a <math>{inside}</math> b") == f"a ${tex}$ b"
    assert text(f"<p>a <math display=block>{inside}</math> b", markdown=True) == f"a $${tex}$$ b"


def test_a_formula_goes_on_as_text_where_it_holds_several_blocks_and_not_at_all_where_it_is_empty():
    assert text("<math><mtext>a<p>b</p>c</mtext></math>") == "a\n\nb\n\nc"
    assert text("a<math> <mi> </mi></math>b") == "ab"


def test_there_is_room_for_a_formula_of_signs_that_tex_has_names_for():
    signs = "^~\\" * 100
    for inside in (
        f"<mo>{signs}</mo>",
        f"<mtext>a<img class=latex alt='{signs}'></mtext>",
        f"<mfenced open='{signs}'>a",
    ):
        assert text(f"<math>{inside}</math>").count("backslash") == 100


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>x <span class=MathJax_Preview>p</span><span class=MathJax><span>E=mc2</span><math><mi>E</mi></math></span>"
         "<script type='math/tex'>E=mc^2</script> y", "x $E=mc^2$ y"),
        ("<div class=MathJax_Display><span class=MathJax>E</span></div>"
         "<script type='math/tex; mode=display'>E</script>", "$$E$$"),
        ("<span class=MathJax>E</span><script>f()</script>", "E"),
        ("<span class=a>E</span><script type='math/tex'>E</script>", "E$E$"),
    ],
)  # fmt: skip
def test_what_mathjax_drew_beside_its_script_is_left_out(html, expected):
    assert text(html) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("a<b> b </b>c<i>d</i><b>e<i>f</i></b> <del>g</del>", "a **b** c*d***e*f*** ~~g~~"),
        ("<b>a<br><br>b</b>", "**a**\n\n**b**"),
        ("<i>a<br>b</i>", "*a\\\nb*"),
        ("<h2><b>a</b> <i>b</i></h2>", "## a *b*"),
        ("<code>a</code> <code>`a`</code> <code>a``b</code> <code>*_[</code>", "`a` `` `a` `` ``` a``b ``` `*_[`"),
        ("<code>a <b>b</b> c</code>", "`a` **`b`** `c`"),
        ("<a href=' /a b(c)&amp;d '>x <b>y</b></a>", "[x **y**](/a%20b%28c%29&d)"),
        ("<a href=#a>a</a> <a href=''>b</a> <a href=javascript:x()>c</a> <a>d</a>", "a b c d"),
        ("<a href=/a><p>a</p><p>b</p></a> <a href=/b><div>c</div></a>", "a\n\nb\n\n[c](/b)"),
        ("<a href=/é>a]b</a>", "[a\\]b](/é)"),
        ("5*3 * _a_ b_c `d` [e](f) [g] &lt;h> < i # j ~~k~~ \\* \\l", "5\\*3 * \\_a\\_ b_c \\`d\\` [e\\](f) [g] "
         "\\<h> < i # j \\~~k\\~~ \\\\\\* \\l"),
        ("[e]: f", "[e\\]: f"),
        ("<table><tr><td><a href='/a|b'>a</a><td><code>c|d</code></table>", "| [a](/a%7Cb) | `c\\|d` |\n| --- | --- |"),
    ],
)  # fmt: skip
def test_markdown_inside_a_line(html, expected):
    assert text(html, markdown=True) == expected


@pytest.mark.parametrize(
    ("line", "escaped"),
    [
        ("# a", "\\# a"), ("## a", "\\## a"), ("#b", "#b"), ("#", "\\#"),
        ("1. a", "1\\. a"), ("12) a", "12\\) a"), ("1.", "1\\."), ("1.5", "1.5"), ("1234567890. a", "1234567890. a"),
        ("- a", "\\- a"), ("-5", "-5"), ("---", "\\---"), ("&#45; a", "\\- a"), ("– a", "– a"),
        ("+ a", "\\+ a"), ("+5", "+5"), ("* a", "\\* a"), ("_ a", "\\_ a"), ("***", "\\*\\*\\*"),
        ("> a", "\\> a"), ("&gt;a", "\\>a"), ("===", "\\==="), ("=a", "=a"), (": a", "\\: a"), (":)", ":)"),
    ],
)  # fmt: skip
def test_no_line_of_text_begins_like_a_mark_of_markdown(line, escaped):
    assert text(f"<p>{line}</p>", markdown=True) == escaped
    assert text(f"<p>x<br>{line}", markdown=True) == f"x\\\n{escaped}"
    assert text(f"<blockquote><ul><li>x<p>{line}", markdown=True) == f"> - x\n>\n>   {escaped}"
    assert text(f"<blockquote><b>{line}</b>") == line.replace("&gt;", ">").replace("&#45;", "-")


def test_marks_that_stand_inside_a_line_or_are_those_of_an_item_are_not_escaped():
    assert text("<p>a - b + c > d. e: f = 1. g", markdown=True) == "a - b + c > d. e: f = 1. g"
    assert text("<h2>1. a</h2><ol><li>1. b</ol><ul><li>- c</ul>", markdown=True) == "## 1. a\n\n1. b\n\n- c"
    assert text("<table><tr><td>- a<td>1. b", markdown=True) == "| - a | 1. b |\n| --- | --- |"


def test_a_dollar_sign_begins_no_formula_unless_it_is_one():
    html = "<p>$5 and $10, 5 $ <code>$a$</code> <math alttext=x></math>"
    assert text(html, markdown=True) == "\\$5 and \\$10, 5 $ `$a$` $x$"
    assert text(html) == "$5 and $10, 5 $ $a$ $x$"


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<dl><dt>a<dd>b<dt>c<dt>d<dd>e<dd>f</dl>g", "a\n:   b\n\nc\n\nd\n:   e\n:   f\n\ng"),
        ("<dl><div><dt>a<dd>b</div><div><dt>c<dd>d</div></dl>", "a\n:   b\n\nc\n:   d"),
        ("<dl><dt>a<dd><p>b<br>c<ul><li>d<li>e</ul></dl>", "a\n:   b\\\n    c\n\n    - d\n    - e"),
        ("<dl><dt>a<dd><ul><li>b</ul><dd><dl><dt>c<dd>d</dl></dl>", "a\n:   - b\n\n:   c\n    :   d"),
        ("<dl><dt>a<dd><pre>b\n c</pre></dl>", "a\n\n:   ```\n    b\n     c\n    ```"),
        ("<ul><li>x<dl><dt>a<dd>b</dl></ul>", "- x\n\n  a\n  :   b"),
        ("<dl><dd>a</dl><dl><dt>b<dd><h3>c</h3>d</dl>", "a\n\nb\n\n### c\n\nd"),
    ],
)
def test_terms_and_definitions_can_be_told_apart_in_markdown(html, markdown):
    assert text(html, markdown=True) == markdown


def test_only_kept_blocks_are_written():
    b, dom = scanned("<p>a<p>b<ul><li>c<li>d</ul><table><tr><td>e<td>f<tr><td>g<td>h</table>i<hr>j <b>k</b>")
    dom.blocks["verdict"][[1, 2, 4]] = 1
    dom.nodes["dropped"][dom.counts[0] - 1] = 1
    assert rendered(b, dom).decode() == "a\n\n- d\n\n| f\ng | h\n\ni\nj"
    assert rendered(b, dom, markdown=True).decode() == "a\n\n- d\n\n| | f |\n| --- | --- |\n| g | h |\n\ni\n\n---\n\nj"
    dom.blocks["verdict"][: dom.counts[2]] = 1
    assert rendered(b, dom) == b""


def test_nothing_is_written_where_there_may_be_no_room():
    b, dom = scanned("<p>a<p>b")
    out = np.zeros(1000, np.uint8)
    room = -render(b, dom, out[:10], 0, False)
    assert render(b, dom, out[: room - 1], 0, False) == -room
    assert not out.any()
    assert rendered(b, dom, at=5) == b"a\n\nb"
