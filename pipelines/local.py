"""Beam on this machine: worker processes over the Fn API, or everything in one process.

Decisions:
- Never ``DirectRunner``: it looks for a Go binary on the network first. ``FnApiRunner`` is constructed here, with the
  pipeline options handed to its workers, which naming it on the command line does not do.
- Workers are processes speaking the protocol that Dataflow's, Flink's and Spark's workers speak.
- A worker killed by a signal (the kernel's out-of-memory killer) would leave the runner waiting for ever; its watcher
  ends the driver instead with ``WORKER_KILLED``, and the command line says so. Running again resumes.
"""

import os
import sys
import threading
from pathlib import Path

import psutil
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
from apache_beam.portability.api import beam_provision_api_pb2 as provision
from apache_beam.runners.portability.fn_api_runner import fn_runner, worker_handlers
from apache_beam.runners.portability.local_job_service import SubprocessSdkWorker
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from pipelines.job import WORKER_KILLED

CGROUP = Path("/sys/fs/cgroup")
WORKER_MEMORY = 2 << 30  # what a worker may want at its peak: a few batches, a model, a partition


def default_workers() -> int:
    """Processors this process may use, at most one for each 2 GB of free memory; a container's limits count."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = psutil.virtual_memory().available
    quota, limit = _container("cpu.max"), _container("memory.max")
    if len(quota) == 2:
        processors = min(processors, quota[0] // quota[1])
    if limit:
        memory = min(memory, limit[0])
    return max(1, min(processors, memory // WORKER_MEMORY))


def _container(limit: str) -> list[int]:
    """The numbers of a cgroup v2 limit; none where there is no limit or no cgroup."""
    try:
        words = (CGROUP / limit).read_text(encoding="ascii").split()
    except OSError:
        return []
    return [int(word) for word in words] if all(word.isdigit() for word in words) else []


def in_process_runner(bundle_repeat: int = 0, use_state_iterables: bool = False) -> fn_runner.FnApiRunner:
    """Everything in this process: no start-up, a debugger works. The switches are Beam's own, for tests."""
    return fn_runner.FnApiRunner(bundle_repeat=bundle_repeat, use_state_iterables=use_state_iterables)


def worker_runner(workers: int, options: PipelineOptions, log: str) -> fn_runner.FnApiRunner:
    """``workers`` worker processes; what they print goes to the file ``log``."""
    options.view_as(DirectOptions).direct_num_workers = workers
    _watch_workers()
    command = (
        f"exec env OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false "
        f"'{sys.executable}' -m apache_beam.runners.worker.sdk_worker_main 2>>'{log}'"
    )
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
    return fn_runner.FnApiRunner(
        default_environment=SubprocessSDKEnvironment.from_command_string(command),
        provision_info=fn_runner.ExtendedProvisionInfo(provision.ProvisionInfo(pipeline_options=encoded)),
    )


def _watch_workers() -> None:
    """Make the runner's worker handler end this process when its worker dies by a signal."""

    def start_worker(self: worker_handlers.SubprocessSdkWorkerHandler) -> None:
        self.worker = SubprocessSdkWorker(
            self._worker_command_line, self.control_address, self.provision_info, self.worker_id
        )

        def watch() -> None:
            try:
                self.worker.run()
            except RuntimeError as error:
                # the worker process replaces its shell (exec), so a signal is a negative return code
                if "return code -" in str(error):
                    print(f"{self.worker_id} was killed: {error}", file=sys.stderr, flush=True)
                    os._exit(WORKER_KILLED)

        self.worker_thread = threading.Thread(target=watch, name="run_worker", daemon=True)
        self.worker_thread.start()

    worker_handlers.SubprocessSdkWorkerHandler.start_worker = start_worker


def last_line(error: Exception) -> str:
    """The line of a failure that says what went wrong: Beam hands a worker's traceback over as text."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    tail = [line for line in lines if not line.startswith(("File ", "Traceback", "During handling"))]
    return tail[-1] if tail else type(error).__name__
