"""Stages with an edge that has no type, for the tests of the check that finds it."""

import copy

import apache_beam as beam

from pipelines.run import CHAIN


class Loose(beam.PTransform):
    def expand(self, pcoll):
        return pcoll | "loose" >> beam.ParDo(Same())


class Same(beam.DoFn):
    def process(self, split):
        yield copy.copy(split)  # of which Beam cannot tell the type


class Untyped(CHAIN[2]):
    def build(self, splits):
        return super().build(splits | Loose())


class UntypedOnAnEngine(CHAIN[2]):
    """Typed as long as files carry the rows."""

    def build(self, splits):
        return super().build(splits | Loose() if self.kind == "beam" else splits)
