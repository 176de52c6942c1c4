"""What looks on while a run trains.

- ``monitor``     which step stands out
- ``ledger``      which batch each update sees, and what was decided about those that stood out
- ``trace``       which documents a step saw, and what each cost
- ``memorisation`` canaries, windows seen once more than others, texts that come out word for word
- ``energy``      seconds, joules and money, in all and for what came of it
- ``watch``       all of these together: what is done about a step that stands out
"""
