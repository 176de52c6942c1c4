"""Beam's own options on our command line: accepted by name or after ``--``, refused with a hint when unknown."""

import argparse
import difflib
from collections.abc import Sequence
from importlib import import_module

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions


class OptionError(ValueError):
    """An option that neither we nor Beam know; the message names it."""


def check_beam_options(arguments: Sequence[str]) -> list[str]:
    """Return ``arguments`` if Beam knows each of them and the runner they name; raise ``OptionError`` otherwise."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    for options in PipelineOptions.__subclasses__():
        options._add_argparse_args(parser)
    rest = parser.parse_known_args([argument for argument in arguments if argument != "--"])[1]
    unknown = [argument for argument in rest if argument.startswith("-")] or rest
    if unknown:
        name = unknown[0].split("=")[0]
        known = [option for action in parser._actions for option in action.option_strings]
        close = difflib.get_close_matches(name, [*known, *OURS], 1)
        hint = (
            f"; did you mean {close[0]}?" if close else "; allowed: this command's --help, and Beam's pipeline options"
        )
        raise OptionError(f"unknown option or argument {name!r}{hint}")
    accepted = [argument for argument in arguments if argument != "--"]
    named_runner(accepted)
    return accepted


def named_runner(beam_args: Sequence[str]) -> str | None:
    """The runner that the options name, as Beam spells it or a dotted class path; None when they name none.

    Raises ``OptionError`` when Beam could not make that runner.
    """
    name: str | None = PipelineOptions(list(beam_args)).view_as(StandardOptions).runner
    if name is None:
        return None
    known = {runner.lower(): runner for runner in StandardOptions.KNOWN_RUNNER_NAMES}
    short = name.lower()
    if short in known or f"{short}runner" in known:  # Beam takes "dataflow" too
        return known.get(short) or known[f"{short}runner"]
    module, _, attribute = name.rpartition(".")
    try:
        getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError):
        allowed = ", ".join(StandardOptions.KNOWN_RUNNER_NAMES)
        message = f"--runner {name!r} is not a runner; allowed: {allowed}, or the dotted path of a class to import"
        raise OptionError(message) from None
    return name


OURS = ("--out", "--workers", "--set", "--dry-run")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise OptionError(message)
