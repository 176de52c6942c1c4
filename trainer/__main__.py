"""``python -m trainer``: what torchrun starts."""

from trainer.cli import main

main()
