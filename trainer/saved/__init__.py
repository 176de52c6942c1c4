"""What a run directory holds, written so that a kill at any moment leaves it whole.

- ``pieces``      tensors in files, whole or in pieces
- ``checkpoint``  atomic saves in the background, verified loads
- ``record``      run.json: what a run is, and whether a command means the same one
- ``metrics``     metrics.jsonl, TensorBoard, Weights & Biases
- ``trained``     a run opened to be used
"""
