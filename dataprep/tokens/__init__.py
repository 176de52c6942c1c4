"""Text becomes ids: a tokenizer from a sample of the corpus, ids for every document, and where each document goes.

settings  the recipe's ``tokenizer`` and ``shards`` sections
hashing   seeded hashes of document ids: every random choice of this room
measure   documents and bytes per source and language, counted part by part and added up
sample    the tokenizer's training text: balanced, bounded in bytes, the same for any order of parts
pretokens  where pre-tokens end: the published patterns as kernels
words     the different pre-tokens of texts and their counts
learn     words and their counts → the merges of byte-pair encoding
byte_level  ``tokenizer.json`` from tokens, merges and a pattern
train     byte-level BPE → ``tokenizer.json``
tiktoken  a tiktoken vocabulary → ``tokenizer.json``
vocabulary  bytes per token, unused and longest tokens on the sample
support   which tokenizer.json the fast encoder may do
fast      the fast encoder, checked against the slow one
encode    a batch's texts → one buffer of ids and one of offsets
assign    which split and shard a document belongs to, and its place there
around    the text around one token of a document
regroup   encoded rows on their way to their shard, and a shard's rows in their order
"""
