"""From pages to text, by our extractor or another.

settings    engine and limits
decode/     bytes to UTF-8
dom/        UTF-8 to a flat DOM
selection/  which blocks are the text; words/ has the names and phrases that say so
rendering/  the text
metadata/   title, author, date …
sites/      what a site repeats
kernel      all of these over a batch
links       the links of pages with their text
others/     resiliparse and trafilatura
pages       a batch of pages in, a row for each out, by the engine that is asked for
elements    a page's elements as a person names them
explain     why each block of one page was kept or dropped, for a person
extraction  a source's items become kept and removed documents and quarantine rows
"""
