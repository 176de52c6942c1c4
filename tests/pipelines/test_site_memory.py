"""With a memory of its sites the documents stage keeps none of their notices, however the work is divided."""

import random
from functools import partial

import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from dataprep import storage
from dataprep.recipe import RecipeError, parse_recipe
from pipelines.documents import DocumentsStage
from pipelines.local import in_process_runner, worker_runner
from tests.dataprep.sources.warcs import member, record
from tests.pipelines.chain import assert_same, data, run_alone
from tests.pipelines.test_documents import files
from tests.pipelines.test_documents import run as finished
from tests.pipelines.test_show_page import told

HOSTS = 5
PAGES = 12  # of each
NOTICE = "All of this was written by the volunteers of {}, who ask you to support them."
ELSEWHERE = "A page that stands alone has nothing to be compared with, so that all of it stays."
WORDS = ["river", "stone", "harbour", "ledger", "copper", "lantern", "meadow", "cipher", "anvil", "orchard"]


def url(host, number):
    return f"http://host{host}.example/{number}"


def html(host, number):
    rng = random.Random(f"{host} {number}")
    prose = "".join(f"<p>{' '.join(rng.choices(WORDS, k=20))}, as was told on page {number}.</p>" for _ in range(4))
    return f"<h2>Description</h2>{prose}<p>{NOTICE.format(f'host {WORDS[host]}')}</p>".encode()


def crawled():
    pages = [(url(host, number), html(host, number)) for host in range(HOSTS) for number in range(PAGES)]
    return [*pages, ("http://alone.example/", f"<p>{ELSEWHERE}</p>".encode())]


class ManyPartitions(DocumentsStage):
    partition_bytes = 1000


@pytest.fixture(autouse=True)
def _every_file_is_a_split(monkeypatch):
    monkeypatch.setattr("dataprep.sources.splitting.SMALLEST_BYTES", 1)


def write(folder, pages, files=4):
    """Every page is in one file, its neighbours in others."""
    for number in range(files):
        records = (member(record(url=url, body=body)) for url, body in pages[number::files])
        storage.write_bytes(f"{folder}/in/{number}.warc.gz", b"".join(records))


def run(out, runner=None, stage_class=DocumentsStage, kind="files", interrupt_after=99, **extract):
    value = {"name": "test", "sources": [{"name": "web", "files": {"paths": [f"{out}/in"]}}], "extract": extract}
    return run_alone(stage_class(parse_recipe(value), f"{out}/out", kind), runner, interrupt_after)


def texts(out):
    files = storage.list_files(f"{out}/out/documents/kept", ".parquet")
    return {row["url"]: row["text"] for file in files for row in pq.read_table(file.path).to_pylist()}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dataprep.sources.splitting.SMALLEST_BYTES", 1)
        out = tmp_path_factory.mktemp("expected")
        write(out, crawled())
        run(out, site_memory=True)
        return data(out / "out"), texts(out)


def test_notices_go_and_everything_else_stays(tmp_path, expected):
    write(tmp_path, crawled())
    tally, extra, phases = run(tmp_path)
    without, (_, with_memory) = texts(tmp_path), expected
    assert phases == ["extract"]
    assert "sites" not in extra
    assert tally.kept == len(with_memory) == HOSTS * PAGES + 1
    assert all("volunteers" in text for url, text in without.items() if "host" in url)
    for page, text in with_memory.items():
        assert text == "\n".join(line for line in without[page].splitlines() if "volunteers" not in line).rstrip()
        assert text == ELSEWHERE or text.startswith("Description")


def test_a_page_of_the_run_is_told_with_what_its_site_repeats(tmp_path, monkeypatch):
    monkeypatch.setattr(DocumentsStage, "partition_bytes", ManyPartitions.partition_bytes)
    write(tmp_path, crawled())
    out = tmp_path / "out"
    manifest = finished(out, files("web", tmp_path / "in"), extract={"site_memory": True})
    assert manifest["extra"]["sites"]["partitions"] > 1
    for host in range(HOSTS):
        shown = told(out, url(host, 3))
        assert sum(line.split()[1:2] == ["repeated_on_site"] for line in shown.splitlines()) == 1
        assert "note:" not in shown
    assert "repeated_on_site" not in told(out, url(0, 3), "extract.site_memory=false")


def test_where_nothing_was_learned_site_memory_is_said_to_have_no_effect(tmp_path):
    page, setting = tmp_path / "in" / "page.html", "extract.site_memory=true"
    storage.write_bytes(str(page), html(0, 0))
    finished(tmp_path / "out", files("web", page))
    assert "note: extract.site_memory has no effect: this run" in told(tmp_path / "out", "page.html", setting)
    assert "note: extract.site_memory has no effect on a single file" in told(None, page, setting)


def test_the_manifest_says_what_was_learned(tmp_path):
    write(tmp_path, crawled())
    _, extra, phases = run(tmp_path, site_memory=True)
    assert phases == ["sites", "extract"]
    assert extra["sites"]["pages"] == HOSTS * PAGES + 1
    assert extra["sites"]["hosts"] == HOSTS + 1
    assert extra["sites"]["hosts_that_repeat"] == HOSTS
    assert extra["sites"]["texts_repeated"] == 2 * HOSTS  # the notice and the heading


@pytest.mark.parametrize("kind", ["files", "beam"])
def test_many_partitions_give_the_same_documents(tmp_path, expected, kind):
    write(tmp_path, crawled())
    run(tmp_path, stage_class=ManyPartitions, kind=kind, site_memory=True)
    found = data(tmp_path / "out")
    assert len([name for name in found if name.startswith("documents/sites/")]) > 1
    without_tables = [
        {n: b for n, b in side.items() if not n.startswith("documents/sites/")} for side in (found, expected[0])
    ]
    assert_same(*without_tables)


@pytest.mark.parametrize("kind", ["files", "beam"])
def test_bundles_run_twice_give_the_same_bytes(tmp_path, expected, kind):
    write(tmp_path, crawled())
    run(tmp_path, in_process_runner(bundle_repeat=2), kind=kind, site_memory=True)
    assert_same(data(tmp_path / "out"), expected[0])


def test_worker_processes_give_the_same_bytes(tmp_path, expected):
    write(tmp_path, crawled())
    run(tmp_path, worker_runner(2, PipelineOptions([]), str(tmp_path / "log")), site_memory=True)
    assert_same(data(tmp_path / "out"), expected[0])


@pytest.mark.parametrize("files", [1, 9])
def test_texts_do_not_depend_on_the_order_and_number_of_files(tmp_path, expected, files):
    pages = crawled()
    random.Random(files).shuffle(pages)
    write(tmp_path, pages, files)
    run(tmp_path, site_memory=True)
    assert texts(tmp_path) == expected[1]


@pytest.mark.parametrize("whole", [0, 1, 2])
def test_a_run_cut_short_continues_to_the_same_bytes(tmp_path, expected, whole):
    write(tmp_path, crawled())
    cut_short = partial(run, tmp_path, site_memory=True)
    if whole < 2:
        with pytest.raises(KeyboardInterrupt):
            cut_short(interrupt_after=whole)
    else:
        cut_short()
    receipts = storage.list_files(f"{tmp_path}/out/documents/_receipts", ".json", recursive=True)
    for file in receipts[::2]:
        storage.remove_file(file.path)
    run(tmp_path, site_memory=True)
    assert_same(data(tmp_path / "out"), expected[0])


def test_a_corpus_without_pages_passes_through(tmp_path):
    storage.write_bytes(f"{tmp_path}/in/notes.txt", b"Only a note.")
    tally, extra, _ = run(tmp_path, site_memory=True)
    assert tally.kept == 1
    assert extra["sites"] == {"partitions": 1}


def test_an_engine_that_cannot_leave_out_blocks_is_refused_by_name():
    value = {
        "name": "test",
        "sources": [{"name": "web", "files": {"paths": ["x"]}}],
        "extract": {"engine": "trafilatura", "site_memory": True},
    }
    with pytest.raises(RecipeError, match=r"^recipe: extract\.site_memory: .*trafilatura.*allowed: false") as error:
        parse_recipe(value)
    assert len(str(error.value).splitlines()) == 1
