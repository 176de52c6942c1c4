"""From files to items: what lies in archives, JSON Lines, Parquet and folders, record by record.

settings    which files, which format, which columns
listing     paths, folders and globs become a sorted list of input files; a missing one is an error
splitting   the files become pieces of work of similar size, a function of the data alone
items       what readers yield: a text, a page still to be extracted, a removed record, a quarantine row; dates
opening     whole-file decompression (.gz, .zst)
framing     bytes of an archive become WARC records; finds its way again after damage
http        the payload of an HTTP response: chunked transfer and content encodings undone, sizes capped
warc        WARC and WET records become items
jsonl       lines become items, by byte range
parquet     rows become items, by row group
text        whole files become items
reading     the reader for each piece of a split
"""
