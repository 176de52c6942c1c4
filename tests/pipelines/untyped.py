"""A stage with an edge that has no type, for the test of the check that finds it."""

import apache_beam as beam

from pipelines.run import CHAIN


class Loose(beam.PTransform):
    def expand(self, pcoll):
        return pcoll | "loose" >> beam.Map(_same)


def _same(split):
    return split


class Untyped(CHAIN[2]):
    def build(self, splits):
        return super().build(splits | Loose())
