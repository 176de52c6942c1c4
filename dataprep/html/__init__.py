"""From pages to text: the extractors, and the wall between them and the rest.

settings    engine and limits
tags        the elements and attributes the scanner knows
automaton   words in class and id to categories
attributes  the attributes of a start tag
dom         a page as arrays
tree        the stack of open elements
scan        bytes to flat DOM, in one loop
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
engines     HTML to main text: resiliparse, trafilatura
worker      the child process: pages in, texts out, one CPU-time limit a page
sandbox     the parent's side: feeds a child, names the page that ended it, goes on with the next
extraction  a source's items become texts, removed records and quarantine rows
"""
