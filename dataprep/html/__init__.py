"""From pages to text: the extractors, and the wall between them and the rest.

settings    engine and limits
charset     bytes are decoded once, and never raise
nesting     how deep a page nests, before anything parses it
engines     HTML to main text: resiliparse, trafilatura
worker      the child process: pages in, texts out, one CPU-time limit a page
sandbox     the parent's side: feeds a child, names the page that ended it, goes on with the next
pages       a batch of pages in, a row for each out, whatever the engine
extraction  a source's items become kept and removed documents and quarantine rows
"""
