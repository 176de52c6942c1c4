"""Which blocks are a page's text.

rules       thresholds and reasons
phrases     what a short block says it is
cuts        what says it is not the text is cut off
article     the rules for articles
select      the ways to read a page, and which of them a page is read by
"""
