"""Children wait for the next task that needs the same, and for no other."""

from dataprep.child.parent import borrowed
from dataprep.html.others.sandbox import Sandbox
from dataprep.html.settings import ExtractSettings

PAGE = b"<p>A paragraph that says hello to you.</p>"


def process_of(settings):
    with borrowed(Sandbox(settings)) as sandbox:
        sandbox.extract([(PAGE, None)])
        return sandbox.process


def test_a_child_serves_the_next_task_that_needs_the_same_and_ends_when_another_is_needed():
    first = process_of(ExtractSettings(engine="resiliparse"))
    assert process_of(ExtractSettings(engine="resiliparse")) is first
    assert first.poll() is None
    other = process_of(ExtractSettings(engine="resiliparse", page_seconds=7))
    assert other is not first
    assert first.poll() is not None


def test_a_child_whose_task_failed_does_not_wait_for_another():
    sandbox = Sandbox(ExtractSettings(engine="resiliparse"))
    try:
        with borrowed(sandbox) as lent:
            lent.extract([(PAGE, None)])
            process = lent.process
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert process.poll() is not None
