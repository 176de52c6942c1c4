"""Extractors of other people, in a child process.

engines     resiliparse, trafilatura
nesting     how deep a page nests, before anything parses it
worker      the child: pages in, texts out, one CPU-time limit a page
sandbox     the parent's side: feeds a child, names the page that ended it, goes on with the next
"""
