"""Editors: steps that change the text of a batch of documents and add columns that say what they did.

cuts       a text column without some spans of it
dclm_text  DCLM's preparation: URLs and IP addresses deleted, runs of newlines shortened
dclm       DCLM's line editor: capitals, numbers, counters, short lines, three phrases of web shops and blogs
tlds       the top-level domains by which a URL is recognised
"""
