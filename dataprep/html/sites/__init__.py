"""What a site repeats on its pages.

repeats     what a block is recognised by on other pages, and which of the repeated ones go
samples     some pages of each host, as hashes of blocks
memory      what a host repeats: from samples to a table, and from a table to a page
"""
