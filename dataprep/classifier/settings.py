"""What a classifier is trained on and how. Every default has its source.

DCLM is Li et al. 2024 (arXiv 2406.11794) with its training script (github.com/mlfoundations/dclm,
baselines/train_fasttext_classifier.py) and its published models (huggingface.co/mlfoundations/dclm-fasttext-variants,
``…_vs_rw_v2_bigram_200k_train.bin``: bigrams, 200,000 documents of each class). Joulin is Joulin et al. 2016
(arXiv 1607.01759), which introduced fastText.
"""

from typing import Annotated

from pydantic import Field

from dataprep.settings import Settings
from dataprep.signals.classifier import FirstCharacters

NEGATIVE = "negative"
Share = Annotated[float, Field(gt=0, lt=1)]


class Input(Settings):
    """Documents of one class: ``path`` is a file, a folder or a glob; of Parquet optionally only those ``rejected_by``.

    An input with twice the ``weight`` of another gives twice as many documents, as long as it has them.
    """

    path: str
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    rejected_by: str | None = None
    text_column: str = "text"


class TrainSettings(Settings):
    """How a classifier is trained. ``documents`` counts both classes; ``held_out`` is the share that only measures.

    ``keep_rate`` is the share of held-out negatives, random documents of the web, that the threshold keeps. With more
    than one ``thread`` fastText gives another model each time. ``quantize`` compresses the model.
    """

    documents: Annotated[int, Field(ge=20)] = 400_000  # DCLM
    held_out: Share = 0.1
    keep_rate: Share = 0.1  # DCLM, section 4.4
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    first_characters: FirstCharacters = None  # DCLM: the whole text
    lower_case: bool = False  # DCLM: as it is
    word_ngrams: Annotated[int, Field(ge=1, le=5)] = 2  # DCLM
    epoch: Annotated[int, Field(ge=1)] = 5  # DCLM, Joulin
    # the largest that Joulin tries; DCLM's 0.1 needs its 400,000 documents: with 2,500, 0.86 of the held-out documents
    # are told apart, not 0.99
    lr: Annotated[float, Field(gt=0, le=10)] = 0.5
    # Joulin; DCLM has fastText's 100, but with two classes only one direction of this space matters
    dim: Annotated[int, Field(ge=1, le=1000)] = 10
    min_count: Annotated[int, Field(ge=1)] = 3  # DCLM has 1, where most of a model is words seen once or twice
    bucket: Annotated[int, Field(ge=1)] = 200_000  # of n-grams; fastText's 2,000,000 is 80 MB
    thread: Annotated[int, Field(ge=1)] = 1
    quantize: bool = False
