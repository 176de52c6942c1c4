"""Trains a small language model on token shards, exactly: the same run, interrupted or not, gives the same numbers.

In the order data flows:

- ``config``      every number of a run, its presets and the checks on them
- ``store``       ranges of files on a store, with retries
- ``cache``       pieces of files in a folder of bounded size, shared by processes
- ``stream``      the tokens of a split as one array, proven before they are used
- ``remote``      the same for shards on a store, through the cache
- ``reading``     how a configuration opens streams, and the record of damage
- ``permutation`` a seeded order of any number of things, in no memory
- ``documents``   where documents begin, and which document a token is of
- ``packing``     windows of whole documents
- ``mixture``     how much of which source, planned and in turn
- ``data``        shards become batches: the batch of step t is a function of (manifest, recipe, seed, t)
- ``prefetch``    the next steps' batches, made by threads
- ``model``       the decoder
- ``schedule``    step to learning rate
- ``optim``       AdamW, clipping, the refusal of non-finite gradients
- ``devices``     FLOPs of a token, peaks of GPUs
- ``parallel``    ranks, device, precision, threads
- ``evaluate``    validation loss in nats per token and bits per byte
- ``memorisation`` canaries, windows seen once more than others, texts that come out word for word
- ``energy``      seconds, joules and money, in all and for what came of it
- ``monitor``     which step stands out
- ``ledger``      which batch each update sees, and what was decided about those that stood out
- ``trace``       which documents a step saw, and what each cost
- ``watch``       all of these while a run trains: what is done about a step that stands out
- ``files``       durable writing
- ``checkpoint``  atomic saves, verified loads
- ``record``      run.json: what a run is, and whether a command means the same one
- ``metrics``     metrics.jsonl, TensorBoard, Weights & Biases
- ``display``     one line that is written over on a terminal, plain lines elsewhere
- ``loop``        the training run
- ``lookup``      the documents of any step of a run
- ``report``      one HTML page about a run
- ``sample``      text from a trained model
- ``cli``         ``trainer plan``, ``train``, ``sample``, ``trace``, ``report``; ``python -m trainer`` is the same
"""
