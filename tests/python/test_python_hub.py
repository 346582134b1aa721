"""What replaces torch.hub's function, and the article that everyone finds. Needs PyTorch."""
import io
import sys

import pytest
from conftest import FILE, TOP

import cistern

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


@pytest.fixture
def default(place):
    cistern.set_default(place.store())
    yield place
    cistern.set_default(None)


def equal(ours, theirs):
    return list(ours) == list(theirs) and all(torch.equal(ours[k], theirs[k]) for k in theirs)


def test_the_signature_is_torch_hubs():
    import inspect
    theirs = list(inspect.signature(torch.hub.load_state_dict_from_url).parameters)
    ours = inspect.signature(cistern.load_state_dict_from_url).parameters
    assert list(ours)[:len(theirs)] == theirs and list(ours)[6:] == ["weights_only"]
    for name, parameter in inspect.signature(torch.hub.load_state_dict_from_url).parameters.items():
        assert ours[name].default == parameter.default


def test_the_second_time_makes_no_request(default):
    url = default.publish()
    expected = torch.load(FILE)
    assert equal(cistern.load_state_dict_from_url(url, progress=False), expected)
    default.server.reset()
    assert equal(cistern.load_state_dict_from_url(url, map_location="cpu", weights_only=True), expected)
    assert equal(torch.load(cistern.path("digits")), expected)
    assert default.server.stats()["requests"] == 0


def test_a_directory_of_ones_own_and_names(default):
    url, directory = default.publish(name="A Model+.pth"), default.dir / "weights"
    directory.mkdir()
    (directory / "other.pth").write_bytes(b"what torch left there")
    url = url.replace(" ", "%20")
    assert equal(cistern.load_state_dict_from_url(url, str(directory)), torch.load(FILE))
    assert (directory / "cistern/cistern.json").exists() and cistern.versions() == []
    cistern.load_state_dict_from_url(url, str(directory), file_name="Mine.pth")
    assert "mine" in {v.name for v in cistern.Store(directory / "cistern", load=False).versions()}


def test_the_hash_in_a_name_is_checked_when_asked_for(default):
    url = default.publish(name="digits-00000000.pth")
    with pytest.raises(cistern.DamagedError):
        cistern.load_state_dict_from_url(url, check_hash=True)
    assert cistern.versions() == []
    cistern.load_state_dict_from_url(url)
    url = default.publish(name="digits-%s.pth" % cistern.versions()[0].digest[:8])
    cistern.load_state_dict_from_url(url, check_hash=True)


def test_progress_is_one_line_on_a_terminal_and_nothing_elsewhere(default, monkeypatch):
    class Terminal(io.StringIO):
        def __init__(self, is_one):
            super().__init__()
            self.isatty = lambda: is_one

    for is_one in (False, True):
        url = default.publish(name="digits%d.pth" % is_one)
        (default.root / ("digits%d.pth" % is_one)).write_bytes((FILE.parent / ("v2" if is_one else "") / FILE.name).read_bytes())
        monkeypatch.setattr("sys.stderr", Terminal(is_one))
        cistern.load_state_dict_from_url(url)
        shown = sys.stderr.getvalue()
        assert ("fetch: " in shown and shown.endswith(" MB\n")) if is_one else shown == ""


def test_our_arrays_are_pytorchs_tensors_and_its_logits_ours(default):
    sys.path.insert(0, str(TOP / "tools"))
    from fractions import Fraction
    from vgg_of_width import Vgg, randomise

    net = Vgg("vgg16", Fraction(1, 8), 20, 64)
    randomise(net, 3)
    net.eval()
    torch.save(net.state_dict(), default.dir / "small.pth")
    cistern.add(default.dir / "small.pth", as_="small", config="none")
    state = torch.load(cistern.path("small"))
    model = cistern.open("small")
    assert set(model.tensors) == set(state)
    for name, tensor in state.items():
        assert (model.tensors[name] == tensor.numpy()).all(), name
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        expected = net(x).numpy()
    caught = []
    for layer in ("features.5", "features.28", "classifier.3"):
        part = net.get_submodule(layer)
        hook = part.register_forward_hook(lambda _module, _inputs, out: caught.append(out.numpy().copy()))
        with torch.no_grad():
            net(x)
        hook.remove()
        theirs = caught.pop()
        assert abs(model.features(x.numpy(), layer) - theirs).max() <= 1e-4 * abs(theirs).max(), layer
    assert abs(model.run(x.numpy()) - expected).max() <= 1e-4 * abs(expected).max()
