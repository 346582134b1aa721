"""Tensors as arrays over the mapping, and running."""
import gc
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import FILE, MODEL, TOP, sample
import cli_support

import cistern

DATA = TOP / "tests/formats/data"


def goldens():
    """(file, tensor, dtype, shape, values) as PyTorch and safetensors saw them."""
    for listing in ("torch.txt", "safetensors.txt"):
        for line in (DATA / listing).read_text().splitlines():
            if line.startswith("file "):
                file = line.split()[1]
            elif line.startswith("tensor "):
                head, _, values = line.partition("]:")
                name, dtype, shape = head[len("tensor "):].rsplit(" ", 2)
                yield file, name, dtype, tuple(int(n) for n in shape.strip("[").split(",") if n), values.split()


def test_arrays_have_the_values_that_the_frameworks_saw(place):
    store, opened, seen = place.store(), {}, set()
    for file, name, dtype, shape, values in goldens():
        if file not in opened:
            opened[file] = store.open(DATA / file)
        tensors = opened[file].tensors
        if dtype == "BF16":
            with pytest.raises(TypeError):
                tensors[name]
            array = (tensors.bits(name).astype(np.uint32) << 16).view(np.float32)
        elif tensors.info(name).dtype not in ("F32", "F64", "F16", "I64", "I32", "I16", "I8", "U8", "BOOL"):
            continue
        else:
            array = tensors[name]
        assert array.shape == shape == tensors.info(name).shape, (file, name)
        np.testing.assert_array_equal(np.asarray(array, np.float64).ravel(), np.array([float(v) for v in values]), (file, name))
        seen.add(dtype)
    assert len(opened) > 20 and seen >= {"F32", "F64", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"}


def test_strides_are_honoured_without_a_copy(place):
    model = place.store().open(DATA / "zip_channels_last.pth")
    array = model.tensors["conv.weight"]
    assert not array.flags.c_contiguous and array.flags.owndata is False
    raw = (DATA / "zip_channels_last.pth").read_bytes()
    info = model.tensors.info("conv.weight")
    at = info.offset + 4 * sum(i * s for i, s in zip((3, 2, 1, 4), info.stride))
    assert array[3, 2, 1, 4] == np.frombuffer(raw, "<f4", 1, at)[0]


def mapped(path):
    """(from, to) of the mappings of a file in this process."""
    found = []
    for line in pathlib.Path("/proc/self/maps").read_text().splitlines():
        if line.partition("/")[2].startswith(str(path)[1:]):
            begin, end = line.split()[0].split("-")
            found.append((int(begin, 16), int(end, 16)))
    return found


def test_arrays_lie_in_the_mapped_blob_and_are_read_only(digits, place):
    model = digits.open("digits")
    places = mapped(place.blob(digits.version))
    for name in model.tensors:
        array = model.tensors[name]
        at = array.__array_interface__["data"][0]
        assert any(begin <= at < end for begin, end in places), name
        assert not array.flags.writeable
        with pytest.raises(ValueError):
            array[...] = 0
        with pytest.raises(ValueError):
            array.flags.writeable = True


def test_tensors_are_a_mapping(digits):
    tensors = digits.open("digits").tensors
    assert len(tensors) == len(list(tensors)) == len(dict(tensors)) > 50
    assert "features.0.weight" in tensors and "nothing" not in tensors and 3 not in tensors
    with pytest.raises(KeyError):
        tensors["nothing"]
    with pytest.raises(KeyError):
        tensors.info("nothing")
    with pytest.raises(TypeError):
        tensors.bits("features.0.weight")


def test_an_array_outlives_model_store_and_file(digits, place):
    model = digits.open("digits")
    blob = place.blob(digits.version)
    array = model.tensors["classifier.0.weight"]
    part = array[3:5, ::2]
    copy = part.copy()
    digits.remove("digits", all=True, force=True)
    os.unlink(blob)  # as a collector does
    del model, array
    gc.collect()
    assert mapped(blob)
    np.testing.assert_array_equal(part, copy)
    del part
    gc.collect()
    assert mapped(blob) == []


def test_a_collection_spares_what_an_array_shows(digits, place):
    array = digits.open("digits").tensors["classifier.0.weight"][1:]
    copy = array.copy()
    blob = place.blob(digits.version)
    digits.remove("digits", all=True, force=True)
    gc.collect()
    place.program("gc", "--keep-removed", "0")
    assert blob.exists()  # in use
    np.testing.assert_array_equal(array, copy)
    del array
    gc.collect()
    place.program("gc", "--keep-removed", "0")
    assert not blob.exists()


def test_a_run_gives_the_programs_logits(digits, place):
    model = digits.open("digits")
    logits = model.run(model.preprocess(sample("six")))
    assert logits.shape == (10,) and logits.dtype == np.float32
    [result] = json.loads(place.program("classify", "digits", sample("six"), "--top", "10", "--json"))["results"]
    theirs = {t["class"]: t["logit"] for t in result["top"]}
    np.testing.assert_allclose(logits, [theirs[i] for i in range(10)], atol=1e-5)
    best = model.classify(sample("six"), top=3)
    assert [(b.class_index, b.label) for b in best] == [(t["class"], t["label"]) for t in result["top"][:3]]
    assert best[0].label == "six" == model.label(6)
    assert best[0].logit == logits[6]
    assert model.label(10) is None and model.classify(sample("six"), top=0) == []
    assert len(model.classify(sample("six"), top=99)) == 10


def test_batches_sizes_and_layouts_of_the_input(digits):
    model = digits.open("digits")
    names = ["one", "two", "three"]
    batch = np.stack([model.preprocess(sample(n)) for n in names])
    together = model.run(batch)
    assert [int(i) for i in together.argmax(1)] == [1, 2, 3]
    for x, row in zip(batch, together):
        np.testing.assert_array_equal(model.run(x), row)
    np.testing.assert_array_equal(model.run(np.asfortranarray(batch.astype(np.float64))), together)
    assert model.run(np.zeros((2, 3, 64, 48), np.float32)).shape == (2, 10)
    np.testing.assert_array_equal(model.preprocess(sample("one")), batch[0])  # its own size again


@pytest.mark.parametrize("shape", [(3, 32), (1, 4, 32, 32), (0, 3, 32, 32), (1, 1, 3, 32, 32), (3, 8, 8)])
def test_inputs_of_other_shapes_are_refused(digits, shape):
    with pytest.raises(cistern.UsageError):
        digits.open("digits").run(np.zeros(shape, np.float32))


def test_pictures_of_every_kind(digits):
    model = digits.open("digits")
    expected = model.classify(sample("seven"))
    assert model.classify(pathlib.Path(sample("seven"))) == expected
    assert model.classify(pathlib.Path(sample("seven")).read_bytes()) == expected
    image = pytest.importorskip("PIL.Image").open(sample("seven"))
    assert model.classify(image) == expected
    pixels = np.asarray(image.convert("RGB"))
    assert model.classify(pixels) == expected
    assert model.classify(pixels[:, ::-1][:, ::-1]) == expected
    with pytest.raises(cistern.UsageError):
        model.classify(pixels.astype(np.float32))
    with pytest.raises(cistern.UnreadableError):
        model.classify(b"no picture")
    with pytest.raises(cistern.NotFoundError):
        model.classify("/no/such/picture.png")


def test_a_file_that_is_in_no_store(place, digits):
    assert digits.open(str(FILE)).classify(sample("nine"))[0].label == "nine"
    model = digits.open(FILE)
    assert model.version.digest == "" and model.facts.architecture == "vgg11_bn"
    with pytest.raises(cistern.NotFoundError):
        digits.open("./gone.pth")


def test_what_is_no_vgg_opens_and_does_not_run(place):
    cli_support.safetensors(place.dir / "x.safetensors", {"w": ((2,), np.array([1, 2], "<f4").tobytes())})
    model = place.store().open(place.dir / "x.safetensors")
    assert model.tensors["w"].tolist() == [1, 2]
    with pytest.raises(cistern.UnreadableError):
        model.classify(sample("one"))


def test_a_layers_output(digits, place):
    model = digits.open("digits")
    x = np.stack([model.preprocess(sample(n)) for n in ("one", "two")])
    logits = model.features(x, "classifier.6")
    np.testing.assert_allclose(logits, model.run(x), atol=1e-4)
    maps = model.features(x, "features.4")
    assert maps.ndim == 4 and len(maps) == 2 and maps.dtype == np.float32
    np.testing.assert_array_equal(model.features(x[1], "features.4"), maps[1])
    np.testing.assert_array_equal(model.features(sample("two"), "features.4"), maps[1])
    assert model.features(np.zeros((3, 64, 64), np.float32), "features.4").shape[1:] == (2 * maps.shape[2], 2 * maps.shape[3])
    with pytest.raises(cistern.UsageError) as caught:
        model.features(x, "features.99")
    assert "avgpool" in caught.value.message
    done = place.program("features", "digits", sample("two"), "--layer", "features.4", "-o", place.dir / "f.npy")
    np.testing.assert_array_equal(np.load(place.dir / "f.npy")[0], maps[1], done)


def test_a_file_without_a_classifier_has_features(place):
    torch_free = {}

    def no_classifier(shapes):
        for name in [n for n in shapes if n.startswith("classifier")]:
            del shapes[name]
        torch_free.update(shapes)

    cli_support.small_vgg11(place.dir / "notop.safetensors", change=no_classifier)
    model = place.store().open(place.dir / "notop.safetensors")
    assert model.facts.head == "none" and len(model.tensors) == len(torch_free)
    assert model.features(sample("one"), "features.20").shape == (64, 7, 7)
    with pytest.raises(cistern.UnreadableError):
        model.classify(sample("one"))


def test_threads_share_a_model(digits):
    model, results = digits.open("digits"), []
    x = model.preprocess(sample("five"))
    expected = model.run(x).tolist()
    threads = [threading.Thread(target=lambda: results.extend(model.run(x).tolist() for _ in range(5))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 30 and all(r == expected for r in results)


TRUNCATED = """
import cistern, os, sys
cistern.sigbus_guard()
model = cistern.open(sys.argv[1])
x = model.preprocess(sys.argv[2])
model.run(x)
model.check()
os.truncate(sys.argv[1], 4096)
for act in (lambda: model.run(x), model.check):
    try:
        act()
    except cistern.DamagedError as fault:
        print(fault.status)
"""


def test_a_truncated_file_is_an_exception_and_not_the_end(place):
    for name in (FILE.name, "config.json"):
        shutil.copy(MODEL / name, place.dir / name)
    code, out, notes = place.run(TRUNCATED, place.dir / FILE.name, sample("one"))
    assert (code, out) == (0, "65\n65\n"), notes


def test_the_example_prints_the_same_logits(place):
    url = place.publish()
    command = [sys.executable, str(TOP / "examples/logits.py"), url, "digits", sample("two")]
    for requests in (None, 0):
        done = subprocess.run(command, env=place.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 0, done.stderr
        if requests == 0:
            assert ": 0 requests" in done.stderr
    model = place.store().open("digits")
    assert [float(v) for v in done.stdout.split()] == pytest.approx(model.run(model.preprocess(sample("two"))), abs=1e-6)


def test_without_numpy_there_are_files_and_no_arrays(place, digits):
    code, out, notes = place.run("import sys; sys.modules['numpy'] = None\nimport cistern\nprint(cistern.path('digits'))\n"
                                 "m = cistern.open('digits')\nprint(len(m.tensors))\nm.tensors['features.0.weight']")
    assert code == 1 and "python3-numpy" in notes
    assert out.splitlines()[0] == digits.path("digits")
