"""From pages to text: the extractors, and the wall between them and the rest.

settings    engine and limits
tags        the elements and attributes the scanner knows
automaton   words in class and id to categories
attributes  the attributes of a start tag
dom         a page as arrays
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
charset     bytes are decoded once, and never raise
nesting     how deep a page nests, before anything parses it
engines     HTML to main text: resiliparse, trafilatura
worker      the child process: pages in, texts out, one CPU-time limit a page
sandbox     the parent's side: feeds a child, names the page that ended it, goes on with the next
extraction  a source's items become texts, removed records and quarantine rows
"""
