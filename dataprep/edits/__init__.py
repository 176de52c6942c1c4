"""Editors: steps that change the text of a batch of documents and add columns that say what they did.

base        new text in the place of spans of the old
pii         pii.*      masking of e-mail and IP addresses, telephone numbers, and secrets
addresses   e-mail and IP addresses
phones      telephone numbers
secrets     keys, tokens, passwords
unicode     unicode.*  repair of mojibake, and normalisation
characters  which lines `unicode` need not look at
c4          c4.*       the line rules of C4
dclm_text  DCLM's preparation: URLs and IP addresses deleted, runs of newlines shortened
dclm       DCLM's line editor: capitals, numbers, counters, short lines, three phrases of web shops and blogs
tlds       the top-level domains by which a URL is recognised
_reference  plain definitions; the tests compare
"""
