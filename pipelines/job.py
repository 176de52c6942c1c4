"""What the command line tells the process that it starts: here, because importing Beam takes a second."""

from dataclasses import dataclass, field
from typing import Any

WORKER_KILLED = 70  # the child's exit code


@dataclass(frozen=True)
class Job:
    """What the child process is asked to do: the recipe's JSON form and everything that does not decide the output."""

    recipe: dict[str, Any]
    out: str
    until: str  # the last stage to run
    workers: int | None  # 0: in this process; None: as many as the machine has room for, where they are worth starting
    logs: str  # a local directory
    beam_args: list[str] = field(default_factory=list)

    def names_runner(self) -> bool:
        """Whether Beam's options name a runner; without one the run is local."""
        return any(argument.startswith("--runner") for argument in self.beam_args)
