"""Editors: steps that change the text of a batch of documents and add columns that say what they did.

base        new text in the place of spans of the old
pii         pii.*      masking of e-mail and IP addresses, telephone numbers, and secrets
addresses   e-mail and IP addresses
phones      telephone numbers
secrets     keys, tokens, passwords
unicode     unicode.*  repair of mojibake, and normalisation
characters  which lines `unicode` need not look at
c4          c4.*       the line rules of C4
_reference  plain definitions; the tests compare
"""
