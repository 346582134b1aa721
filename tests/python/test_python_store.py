"""Pulling, versions, aliases, failures, progress, ^C, threads, forks."""
import logging
import multiprocessing
import signal
import threading

import pytest
from conftest import FILE, MODEL
import cli_support

import cistern


def test_second_pull_makes_no_request(place):
    url, store = place.publish(), place.store()
    first = store.pull(url, "digits")
    assert (first.name, first.tag, first.outcome) == ("digits", "1", "fetched")
    assert first.requests > 0 and first.bytes_received >= FILE.stat().st_size
    place.server.reset()
    again = store.pull(url, "digits")
    assert (again.reference, again.outcome, again.requests) == (first.reference, "hit", 0)
    assert place.server.stats()["requests"] == 0
    assert store.traffic[0] == first.requests


def test_path_is_the_file_as_published(digits, place):
    with open(digits.path("digits"), "rb") as ours:
        assert ours.read() == FILE.read_bytes()
    assert digits.path("digits") == str(place.blob(digits.version))
    with pytest.raises(cistern.NotFoundError) as caught:
        digits.path("cats")
    assert (caught.value.status, caught.value.name) == (3, "NOT_FOUND")
    assert "cats" in caught.value.message
    assert isinstance(caught.value, LookupError)


def test_versions_history_tags_and_rollback(digits):
    second = digits.add(MODEL / "v2" / FILE.name, as_="digits", why="better")
    assert [v.tag for v in digits.versions("digits")] == ["1", "2"]
    assert digits.versions() == digits.versions("digits")
    assert digits.resolve("digits") .tag == "2"
    assert digits.resolve(second.reference).digest == second.digest
    assert digits.tag("digits:1", "production", expect="", why="first").aliases == ("production",)
    with pytest.raises(cistern.ConflictError):
        digits.tag("digits:2", "production", expect="2")
    digits.tag("digits:2", "production", expect="1")
    assert digits.rollback("digits", "production").tag == "1"
    assert digits.rollback("digits").tag == "1"
    with pytest.raises(cistern.NotFoundError):
        digits.rollback("digits")
    events = digits.history("digits")
    assert [e.kind for e in events if not e.alias] == ["add", "add"]
    assert [(e.kind, e.from_tag, e.tag) for e in events if e.alias == "production"] == [
        ("move", "", "1"), ("move", "1", "2"), ("rollback", "2", "1")]
    assert digits.remove("digits:2") == 1
    assert [v.tag for v in digits.versions("digits")] == ["1"]


def test_what_is_known_of_a_version(digits):
    version = digits.resolve("digits")
    assert version.bytes == FILE.stat().st_size and version.is_here
    assert [(f.path, f.bytes, f.sha256) for f in version.files] == [(FILE.name, version.bytes, version.digest)]
    facts = version.facts
    assert (facts.architecture, facts.classes, facts.input_height, facts.preprocess_source) == ("vgg11_bn", 10, 32, "config.json")
    assert facts.mean == pytest.approx((0.602, 0.605, 0.603))
    assert facts.kind == "PyTorch zip"


@pytest.mark.parametrize("fault, exception", [
    ({"status": 404}, cistern.NotFoundError), ({"require_auth": "a:b"}, cistern.RefusedError),
    ({"status": 403}, cistern.RefusedError), ({"html": True}, cistern.UnreadableError), ({"status": 500}, cistern.NetworkError)])
def test_failures_have_their_class_and_say_why(place, fault, exception):
    url = place.publish()
    place.server.fault("/digits.pth", **fault)
    with pytest.raises(exception) as caught:
        place.store().pull(url, "digits")
    assert type(caught.value) is exception
    assert url.rpartition("/")[2] in caught.value.message and "\n" not in caught.value.message


def test_init_makes_a_store_and_refuses_other_directories(place):
    assert place.store().versions() == []
    place.store().init()
    place.store().init()
    assert (place.dir / "store/cistern.json").exists()
    with pytest.raises(cistern.DamagedError):
        cistern.Store(place.root.parent, load=False).init()


def test_other_failures(place):
    url, store = place.publish(), place.store()
    with pytest.raises(cistern.DamagedError):
        store.pull(url, "digits", sha256="0" * 64)
    with pytest.raises(cistern.OfflineError):
        place.store(offline=True).pull(url, "digits")
    with pytest.raises(cistern.UsageError):
        store.pull(url, "Not A Name")
    with pytest.raises(cistern.UsageError) as caught:
        place.store(no_such_option=3)
    assert "no-such-option" in caught.value.message and isinstance(caught.value, ValueError)
    with pytest.raises(cistern.UsageError):
        cistern.set_default("vgg16")


def test_progress_comes_on_the_callers_thread_and_ends(place):
    url, seen, threads = place.publish(), [], set()

    def show(progress):
        seen.append(progress)
        threads.add(threading.current_thread())

    place.store().pull(url, "digits", progress=show)
    assert threads == {threading.current_thread()}
    fetched = [p for p in seen if p.step == "fetch" and p.last]
    assert fetched and fetched[-1].done == fetched[-1].total > 0


def test_an_exception_of_the_callback_ends_the_call_and_is_raised(place):
    cli_support.big_file(place.root / "big.safetensors", 16)
    server, store = place.serve(), place.store()
    server.fault("*", rate=4_000_000)

    def refuse(progress):
        if progress.done > 1 << 20:
            raise ZeroDivisionError(progress.step)

    with pytest.raises(ZeroDivisionError):
        store.pull(server.url + "big.safetensors", "big", progress=refuse)
    server.faults()
    assert store.pull(server.url + "big.safetensors", "big").bytes_resumed > 0


INTERRUPTED = """
import cistern, sys
try:
    cistern.pull(sys.argv[1], "big")
except KeyboardInterrupt:
    print("interrupted")
print(cistern.versions())
"""


def test_control_c_cancels_and_the_rest_is_fetched_next_time(place):
    cli_support.big_file(place.root / "big.safetensors", 24)
    server = place.serve()
    url = server.url + "big.safetensors"
    server.fault("*", rate=6_000_000)
    process = place.python(INTERRUPTED, url)
    cli_support.wait_until(lambda: server.stats()["bytes"] > 4 << 20, "4 MiB")
    process.send_signal(signal.SIGINT)
    out, notes = process.communicate(timeout=cli_support.PATIENCE)
    assert process.returncode == 0, notes
    assert out == "interrupted\n[]\n"
    server.faults()
    assert place.store().pull(url, "big").bytes_resumed > 0


def test_messages_go_to_a_function_or_to_logging(place, caplog):
    (place.root / "odd.safetensors").write_bytes(cli_support.safetensors(place.dir / "x", {"w": ((1,), b"\0" * 4)}).read_bytes())
    url, lines = place.serve().url + "odd.safetensors", []
    place.store(log=lambda level, line: lines.append((level, line))).pull(url, "odd")
    assert any(level == 0 and "VGG" in line for level, line in lines), lines
    with caplog.at_level(logging.DEBUG, "cistern"):
        place.store().add(place.dir / "x", as_="other")
    assert any(r.levelno == logging.WARNING and "VGG" in r.getMessage() for r in caplog.records)


def test_a_failing_log_function_ends_nothing(place, capsys):
    cli_support.safetensors(place.dir / "x.safetensors", {"w": ((1,), b"\0" * 4)})
    assert place.store(log=lambda level, line: 1 / 0).add(place.dir / "x.safetensors", as_="x").tag == "1"
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_many_threads_make_one_transfer(place):
    url, store, results = place.publish(), place.store(), []
    place.server.fault("*", rate=2_000_000)
    threads = [threading.Thread(target=lambda: results.append(store.pull(url, "digits"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {r.reference for r in results} == {results[0].reference} and len(results) == 8
    assert place.server.stats()["paths"]["/digits.pth"]["bytes"] == FILE.stat().st_size


def _in_child(model, x, queue):
    queue.put(model.run(x).tolist())


def test_a_model_runs_in_a_forked_child(digits):
    model = digits.open("digits")
    x = model.preprocess(MODEL / "samples/four.png")
    ours = model.run(x)  # the parent has compute threads now
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(model, x, queue))
    child.start()
    assert queue.get(timeout=cli_support.PATIENCE) == ours.tolist()
    child.join()
    assert child.exitcode == 0
    assert model.run(x).tolist() == ours.tolist()


def test_the_default_store_is_the_environments(place):
    url = place.publish()
    code, out, notes = place.run("import cistern, sys; cistern.pull(sys.argv[1], 'digits'); print(cistern.path('digits'))", url)
    assert code == 0, notes
    assert out.strip().startswith(str(place.dir / "store"))
    assert place.program("path", "digits") == out
