"""Shards become batches: any window of tokens, proven, in an order that takes no memory.

- ``store``       ranges of files on a store, with retries
- ``cache``       pieces of files in a folder of bounded size, shared by processes
- ``stream``      the tokens of a split as one array, proven before they are used
- ``remote``      the same for shards on a store, through the cache
- ``reading``     how a configuration opens streams, and the record of damage
- ``permutation`` a seeded order of any number of things, in no memory
- ``documents``   where documents begin, and which document a token is of
- ``packing``     windows of whole documents
- ``mixture``     how much of which source, planned and in turn
- ``batches``     windows, the order of a run, the batch of a step
- ``prefetch``    the next steps' batches, made by threads
"""
