"""Crawl a folder of HTML served on this machine, extract its text, and say how fast.

    python -m benchmarks.crawl /usr/share/doc/postgresql-doc-15/html [--pages N]

The folder is served by a process of its own, so its time is not the crawler's. Being the operator's own host, it is
crawled without pauses; the figures say what the crawler can do, not what it may do to others.
"""

import argparse
import functools
import http.server
import json
import logging
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

from rich.console import Console

logging.basicConfig(level=logging.ERROR)  # before Beam is imported, or its loggers print

from dataprep.recipe import parse_recipe  # noqa: E402
from pipelines.job import Job  # noqa: E402
from pipelines.launch import launch, log_directory  # noqa: E402


class Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms for an acknowledgement, and that is all one measures

    def log_message(self, *_) -> None:
        pass


def serve(folder: str, port) -> None:
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        port.value = server.server_address[1]
        server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="a folder of HTML pages linked to one another, with an index page")
    parser.add_argument("--pages", type=int, default=20_000)
    options = parser.parse_args()
    console = Console()
    port = multiprocessing.Value("i", 0)
    server = multiprocessing.Process(target=serve, args=(options.folder, port), daemon=True)
    server.start()
    while not port.value:
        time.sleep(0.01)
    crawl = {
        "seeds": [f"http://127.0.0.1:{port.value}/"],
        "own_hosts": {"127.0.0.1": 0.0},
        "shards": 1,
        "max_pages": options.pages,
        "max_pages_per_host": options.pages,
        "max_pages_per_domain": options.pages,
        "rounds": 50,
    }
    recipe = parse_recipe({"name": "crawl", "sources": [{"name": "site", "crawl": crawl}]})
    with tempfile.TemporaryDirectory(prefix="corpusmill-bench-") as out:
        job = Job(recipe.model_dump(mode="json"), out, "documents", 0, log_directory(out))
        if launch(job, console)[0]:
            raise SystemExit(1)
        for stage in ("crawl", "documents"):
            manifest = json.loads(Path(out, stage, "_stage.json").read_text(encoding="utf-8"))
            kept, timing = manifest["counts"]["kept"], manifest["timings"]
            wall, cpu = timing["wall_seconds"], timing["task_cpu_seconds"]
            rate = f"{kept:,} pages, {wall:.1f} s, {kept / wall:,.0f} pages/s, {cpu:.1f} CPU s"
            console.print(f"{stage}: {rate}, peak {timing['peak_rss_mb']} MB")
            if stage == "crawl":
                console.print({key: value for key, value in manifest["extra"]["site"].items() if key != "advice"})
        files = [Path(folder, name) for folder, _, names in os.walk(os.path.join(out, "crawl")) for name in names]
        size = sum(file.stat().st_size for file in files if file.name.endswith(".warc.gz"))
        console.print(f"WARC files: {size / 1e6:.1f} MB")
    server.kill()


if __name__ == "__main__":
    main()
