"""Trains a small language model on token shards, exactly: the same run, interrupted or not, gives the same numbers.

Here is the run, in the order it happens; what it stands on has rooms of its own:

- ``presets``     sizes that go together, and depth, which sets them all
- ``files``       durable writing
- ``config``      every number of a run and the checks on them
- ``devices``     FLOPs of a token, peaks of GPUs
- ``rendezvous``  where the processes of a start find each other
- ``parallel``    ranks, device, precision, threads; DDP, FSDP2, tensor parallelism
- ``data``        shards become batches: the batch of step t is a function of (manifest, recipe, seed, t)
- ``model``       the decoder, its attention and its loss
- ``saved``       what a run directory holds: checkpoints, metrics, what the run is
- ``schedule``    step to learning rate
- ``optim``       AdamW and Muon, clipping, the refusal of non-finite gradients
- ``evaluate``    validation loss of each source in nats per token and bits per byte
- ``watch``       what looks on: steps that stand out, what the model remembers, time and energy
- ``feed``        what a rank is given to compute: the run's order of windows, a step's batches
- ``prepare``     a run made ready, or taken up where it stopped
- ``display``     one line that is written over on a terminal, plain lines elsewhere
- ``loop``        the training run
- ``use``         what is done with a run: text, questions, export, a plan, a report, the documents of a step
- ``cli``         ``trainer plan``, ``train``, ``trace``, ``report``, ``evaluate``, ``sample``, ``export``; ``python -m
  trainer`` is the same
"""
