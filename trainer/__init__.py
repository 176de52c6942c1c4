"""Trains a small language model on token shards, exactly: the same run, interrupted or not, gives the same numbers.

In the order data flows:

- ``presets``     sizes that go together, and depth, which sets them all
- ``config``      every number of a run and the checks on them
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
- ``attention``   causal attention that keeps documents apart
- ``loss``        cross-entropy without logits in memory
- ``model``       the decoder
- ``float8``      linear layers that multiply in 8 bits
- ``devices``     FLOPs of a token, peaks of GPUs
- ``schedule``    step to learning rate
- ``optim``       AdamW and Muon, clipping, the refusal of non-finite gradients
- ``rendezvous``  where the processes of a start find each other
- ``parallel``    ranks, device, precision, threads; DDP, FSDP2, tensor parallelism
- ``files``       durable writing
- ``pieces``      tensors in files, whole or in pieces
- ``checkpoint``  atomic saves in the background, verified loads
- ``record``      run.json: what a run is, and whether a command means the same one
- ``metrics``     metrics.jsonl, TensorBoard, Weights & Biases
- ``trained``     a run opened to be used
- ``choices``     multiple-choice questions
- ``evaluate``    validation loss of each source in nats per token and bits per byte
- ``decode``      the decoder a token at a time, with a cache of keys and values
- ``sample``      text from a trained model
- ``memorisation`` canaries, windows seen once more than others, texts that come out word for word
- ``energy``      seconds, joules and money, in all and for what came of it
- ``monitor``     which step stands out
- ``ledger``      which batch each update sees, and what was decided about those that stood out
- ``trace``       which documents a step saw, and what each cost
- ``watch``       all of these while a run trains: what is done about a step that stands out
- ``display``     one line that is written over on a terminal, plain lines elsewhere
- ``prepare``     a run made ready, or taken up where it stopped
- ``loop``        the training run
- ``lookup``      the documents of any step of a run
- ``report``      one HTML page about a run
- ``export``      a checkpoint as ``transformers`` loads it
- ``plan``        parameters, operations, memory, time and cost before a run
- ``cli``         ``trainer plan``, ``train``, ``trace``, ``report``, ``evaluate``, ``sample``, ``export``; ``python -m
  trainer`` is the same
"""
