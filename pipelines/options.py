"""Beam's own options on our command line: accepted by name or after ``--``, refused with a hint when unknown."""

import argparse
import difflib
from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions


class OptionError(ValueError):
    """An option that neither we nor Beam know; the message names it."""


def check_beam_options(arguments: Sequence[str]) -> list[str]:
    """Return ``arguments`` as they are if Beam's options parser knows each of them; raise ``OptionError`` otherwise."""
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
    return [argument for argument in arguments if argument != "--"]


OURS = ("--out", "--workers", "--set", "--dry-run")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise OptionError(message)
