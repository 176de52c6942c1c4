"""The model. Parallelism, precision and compilation are the caller's: nothing here knows of them.

- ``attention``   causal attention that keeps documents apart
- ``loss``        cross-entropy without logits in memory
- ``decoder``     the decoder
- ``float8``      linear layers that multiply in 8 bits
- ``decode``      the decoder a token at a time, with a cache of keys and values
"""
