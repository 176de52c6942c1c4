"""Editors: steps that change a document's text, and add columns that say what they did.

c4          the line rules of C4
_reference  the same in plain Python; the tests compare
"""
