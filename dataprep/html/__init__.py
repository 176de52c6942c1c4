"""From pages to text: the extractors, and the wall between them and the rest.

settings    engine and limits
tags        the elements and attributes the scanner knows
automaton   words in class and id to categories
attributes  the attributes of a start tag
dom         a page as arrays
borrow      arrays whose references numba does not count
raw         where text, comments and scripts end
measure     what a piece of text amounts to: characters, punctuation
tree        the stack of open elements
scan        bytes to flat DOM, in one loop
phrases     what a short block says it is
rules       thresholds and reasons
cuts        what says it is not the text is cut off
article     the rules for articles
select      which blocks are the page's text, and why the others are not
sites       what a block is recognised by on other pages, and which of the repeated ones go
samples     some pages of each host, as hashes of blocks
memory      what a host repeats: from samples to a table, and from a table to a page
kernel      our extractor over a batch
encodings   labels and tables as the web means them
prescan     where a page names its encoding
charset     bytes are decoded once, and never raise: the rules, for one page
charset_batch  the same for a batch, without copying what is UTF-8 (charset_kernel, prescan_kernel)

entities    character references
claims      where a page says something about itself, and the text there
jsonld      claims of JSON-LD
dates       dates as people and machines write them
names       titles without the site's name, authors without "by"
collect     elements to claims
choose      claims to fields
metadata    title, author, date, language, address and kind of a page
links       the links of pages with their text

entities    character references
layout      what a page's elements mean for its layout
lines       where the lines of a rendered page begin and end
inline      formats, links and quotation marks inside them
scripts     text above and below the line
formulas    TeX
room        how many bytes a page's text can take at most
render      kept blocks to plain text or Markdown
charset     bytes are decoded once, and never raise
nesting     how deep a page nests, before anything parses it
engines     the others: resiliparse, trafilatura
pages       a batch of payloads in, columns out, by the engine that is asked for
worker      the child process: pages in, texts out, one CPU-time limit a page
sandbox     the parent's side: feeds a child, names the page that ended it, goes on with the next
pages       a batch of pages in, a row for each out, whatever the engine
elements    a page's elements as a person names them
explain     why each block of one page was kept or dropped, for a person
extraction  a source's items become kept and removed documents and quarantine rows
"""
