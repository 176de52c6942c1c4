"""``make demo``: from a website to a trained toy model on any machine, every stage real.

It starts the standard library's own documentation server on loopback and crawls it, reads the descriptions and licences
of the packages installed beside it, and trains a small model on what is left. With ``--seed-url`` it crawls that site
instead. It composes the ``dataprep`` and ``trainer`` commands and shows each of them, so that it can be copied.
"""

import argparse
import contextlib
import ipaddress
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

RECIPE = Path(__file__).parents[1] / "recipes" / "demo.yaml"
PORT = 8731  # the address is part of every page's identity, so it is the same each time
START_SECONDS = 30
FOREIGN_PAGES = 40  # at five seconds between requests, the politeness that a stranger owes

console = Console()


@contextmanager
def documentation_server(port: int) -> Iterator[str]:
    """The standard library's ``pydoc`` server on loopback; yields its address.

    ``-I -S`` keeps everything but the standard library out of its reach: rendering a page imports the module.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise SystemExit(f"error: port {port} on this machine is taken; free it, or use --port NUMBER") from None
    url = f"http://127.0.0.1:{port}/"
    with tempfile.TemporaryDirectory() as empty:
        server = subprocess.Popen(
            [sys.executable, "-I", "-S", "-m", "pydoc", "-n", "127.0.0.1", "-p", str(port)],
            cwd=empty,
            env={**os.environ, "BROWSER": "true"},
            stdin=subprocess.PIPE,  # at its end the server would leave
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(url, server)
            yield url
        finally:
            server.kill()
            server.wait()


def _wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START_SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < end and server.poll() is None:
        try:
            opener.open(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("error: the standard library's pydoc server did not start; try `python -m pydoc -p 0` by hand")


def _forget_model_of_other_shards(out: str) -> None:
    """A model belongs to the shards it saw; when the demo's have changed, its toy model is made anew."""
    model = Path(out, "model")
    if (model / "run.json").exists():
        run = json.loads((model / "run.json").read_text(encoding="utf-8"))
        manifest = json.loads(Path(out, "shards", "manifest.json").read_text(encoding="utf-8"))
        if run["manifest"] != manifest["hash"]:
            console.print(f"\nthe shards have changed: {model} is made anew")
            shutil.rmtree(model)


def _loopback(url: str) -> str | None:
    """The host of ``url`` if it is this machine, which needs no introduction and no patience."""
    host = urllib.parse.urlsplit(url).hostname or ""
    with contextlib.suppress(ValueError):
        return host if ipaddress.ip_address(host).is_loopback else None
    return host if host == "localhost" else None


def _step(*command: str) -> None:
    console.print(f"\n[bold cyan]$ {shlex.join(command)}[/bold cyan]", highlight=False, soft_wrap=True)
    module = {"dataprep": "pipelines.cli", "trainer": "trainer"}[command[0]]
    code = subprocess.run([sys.executable, "-m", module, *command[1:]]).returncode
    if code:
        raise SystemExit(code)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="demo-out", help="where everything goes")
    parser.add_argument("--seed-url", help="crawl this site instead of the built-in one")
    parser.add_argument("--contact-url", help="a page about you or your crawler, sent to the site you crawl")
    parser.add_argument("--contact-mail", help="your mail address, sent to the site you crawl")
    parser.add_argument("--port", type=int, default=PORT, help="of the built-in site")
    parser.add_argument("--steps", type=int, help="train this many steps only")
    options = parser.parse_args()
    out = options.out
    run = ["dataprep", "run", str(os.path.relpath(RECIPE)), "--out", out]
    if options.seed_url:
        here = _loopback(options.seed_url)
        if not here and not (options.contact_url and options.contact_mail):
            raise SystemExit(
                "error: whoever runs that site must be able to reach you; add both: "
                "make demo SEED=URL CONTACT_URL=https://page-about-you CONTACT_MAIL=you@example.org"
            )
        overrides = {
            "seeds": f"[{options.seed_url!r}]",
            "own_hosts": f"{{{here}: 0.0}}" if here else "{}",
            "contact_url": options.contact_url or "null",
            "contact_mail": options.contact_mail or "null",
            "exclude": "[]",
            "max_pages": str(FOREIGN_PAGES),
        }
        for field, value in overrides.items():
            run += ["--set", f"sources.web.crawl.{field}={value}"]
        _step(*run)
    else:
        with documentation_server(options.port):
            if options.port != PORT:
                run += ["--set", f"sources.web.crawl.seeds=['http://127.0.0.1:{options.port}/']"]
            _step(*run)
    _step("dataprep", "stats", out)
    _step("dataprep", "report", out)
    _forget_model_of_other_shards(out)
    steps = ["--steps", str(options.steps)] if options.steps else []
    _step("trainer", "train", f"{out}/shards", "--run", f"{out}/model", *steps)
    commands = os.path.relpath(os.path.dirname(sys.executable))
    console.print(
        f"\nread the report: [bold]{os.path.abspath(out)}/report.html[/bold]\n"
        f"look at what went: {commands}/dataprep inspect {out} --verdict removed\n"
        f"talk to the model: {commands}/trainer sample {out}/model --prompt 'The '",
        highlight=False,
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
