"""A polite crawler, usable without any engine: ``rounds`` is the way in.

settings     what a recipe says about a crawl
scope        which URLs belong to the crawl
addresses    which addresses may be connected to
robots       what robots.txt says, and what a failed fetch of it means
politeness   how long to leave a host in peace
decode       content decoding with a cap, type by first bytes
fetch        one HTTP request under every limit
warc         responses and requests as WARC/1.1 records
segments     what a shard has fetched, committed piece by piece
trouble      hosts that cannot be reached
turns        one request at a time for each host and address
gate         robots.txt of each origin, asked before every page
shard        the fetching of one shard of one round
links        the links of a page
harvest      links of all committed pages of a shard
frontier     select and merge: the URLs known and asked next
rounds       plan, crawl, finish: one round after the other
"""
