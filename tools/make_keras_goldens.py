#!/usr/bin/env python3
"""Write the small Keras files in tests/formats/data/keras/ and the logits that Keras computes from them.

    make_keras_goldens.py OUT           with TensorFlow and Keras 3 (2.21 and 3.15 wrote those that are there)
    make_keras_goldens.py OUT legacy    the same with tf_keras (Keras 2.21): Keras 2's own writers
    make_keras_goldens.py OUT tf213     with TensorFlow 2.13, whose names nobody writes any more
    make_keras_goldens.py OUT seeds     the tiny files of tests/fuzz/corpus/formats_hdf5/, with h5py
    make_keras_goldens.py OUT refused   files that are refused: refused.txt has `refuse NAME | text of the message`

Models are VGGs whose dimensions all differ and whose values are nowhere neutral: leaving out a bias, a batch norm or its
epsilon, or reading an axis in another order, changes the answer or the shape. Each writes <part>.txt:

    file NAME | KIND | ARCHITECTURE | EPSILON | the logits

for the picture x[y][x][c] = ((c * 7919 + y * 104729 + x * 1299709) % 511) / 255.5 - 1 of 224 x 224. Files of Keras 1 are
written with h5py in its layout (Keras 1 runs on no Python of today): Theano's kernels turned by 180 degrees, axes in its
order, channels first. Their logits come from the same weights in Keras 3.
"""
import os
import sys
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
PART = sys.argv[2] if len(sys.argv) > 2 else ""
LEGACY = PART in ("legacy", "tf213")  # Keras 2
if LEGACY:
    os.environ["TF_USE_LEGACY_KERAS"] = "1"

import h5py  # noqa: E402
import numpy as np  # noqa: E402
if PART == "legacy":
    import tf_keras as keras  # noqa: E402
else:
    import keras  # noqa: E402

L = keras.layers
STAGES = {"vgg11": (1, 1, 2, 2, 2), "vgg13": (2, 2, 2, 2, 2), "vgg16": (2, 2, 3, 3, 3)}
CLASSES = 5
HIDDEN = (7, 6)


def picture():
    y, x, c = np.meshgrid(np.arange(224), np.arange(224), np.arange(3), indexing="ij")
    return (((c * 7919 + y * 104729 + x * 1299709) % 511) / 255.5 - 1).astype(np.float32)[None]


def vgg(arch, norm=False, conv_bias=True, names=True, scale=True):
    """Channels 2 or 4, then one more for each convolution; `names` as in keras.applications."""
    count = sum(STAGES[arch])
    channels = iter(range(2 if arch != "vgg11" else 4, 2 + count + 4))
    layers = [L.InputLayer(input_shape=(224, 224, 3)) if LEGACY else keras.Input((224, 224, 3))]
    for block, convs in enumerate(STAGES[arch], 1):
        for i in range(1, convs + 1):
            name = dict(name=f"block{block}_conv{i}") if names else {}
            layers.append(L.Conv2D(next(channels), 3, padding="same", use_bias=conv_bias,
                                   activation=None if norm else "relu", **name))
            if norm:
                layers.append(L.BatchNormalization(scale=scale))
                layers.append(L.ReLU())
        layers.append(L.MaxPooling2D(2, **(dict(name=f"block{block}_pool") if names else {})))
    layers.append(L.Flatten())
    for i, n in enumerate(HIDDEN, 1):
        layers.append(L.Dense(n, activation="relu", **(dict(name=f"fc{i}") if names else {})))
        layers.append(L.Dropout(0.5))
    layers.append(L.Dense(CLASSES, activation="softmax", **(dict(name="predictions") if names else {})))
    model = keras.Sequential(layers)
    randomise(model)
    return model


def randomise(model, seed=7):
    random = np.random.default_rng(seed)
    for layer in leaves(model):
        values = []
        for w in layer.weights:
            name = (w.path if hasattr(w, "path") else w.name).split("/")[-1].split(":")[0]
            shape = tuple(w.shape)
            if name == "kernel":
                values.append(random.normal(0, (2 / np.prod(shape[:-1])) ** 0.5, shape))
            elif name == "gamma":
                values.append(random.uniform(0.5, 1.5, shape))
            elif name == "moving_variance":
                # near epsilon: 1e-5 in its place would be seen
                values.append(random.uniform(0.002, 0.02, shape))
            else:
                values.append(random.normal(0, 0.1, shape))
        if values:
            layer.set_weights([v.astype(np.float32) for v in values])


def leaves(model):
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from leaves(layer)
        else:
            yield layer


def logits(model):
    head = list(leaves(model))[-1]
    keep = head.activation
    head.activation = keras.activations.linear
    model.make_predict_function(force=True) if hasattr(model, "make_predict_function") else None
    out = model.predict(picture(), verbose=0)[0]
    head.activation = keep
    model.make_predict_function(force=True) if hasattr(model, "make_predict_function") else None
    return out


class Golden:
    def __init__(self, out, part, versions):
        self.out, self.part, self.lines = out, part, [f"# {versions}"]

    def path(self, name):
        return os.path.join(self.out, name)

    def told(self, name, kind, arch, epsilon, values):
        numbers = " ".join(f"{float(v)!r}" for v in values)
        self.lines.append(f"file {name} | {kind} | {arch} | {epsilon!r} | {numbers}")

    def close(self):
        with open(self.path(self.part + ".txt"), "w") as file:
            file.write("\n".join(self.lines) + "\n")


# ---- files of other hands, written with h5py ----

def write_named(path, model, rename, strings, backend="tensorflow", change=lambda name, w: w, split=False, **how):
    """layer_names, weight_names and datasets; `rename` gives a weight's name."""
    with h5py.File(path, "w") as file:
        layers = list(leaves(model))
        file.attrs["layer_names"] = strings([layer.name for layer in layers])
        if backend:
            file.attrs["backend"] = backend.encode()
            file.attrs["keras_version"] = b"2.2.4"
        for layer in layers:
            group = file.create_group(layer.name)
            names = []
            for w in layer.weights:
                base = (w.path if hasattr(w, "path") else w.name).split("/")[-1].split(":")[0]
                names.append(rename(layer.name, base))
                value = change(base, np.array(w))
                group.create_dataset(names[-1], data=value, **(how if value.ndim > 1 else {}))
            if split:
                for i, name in enumerate(names):
                    group.attrs[f"weight_names{i}"] = strings([name])
            else:
                group.attrs["weight_names"] = strings(names)


def fixed(names):
    return np.array([n.encode() for n in names]) if names else np.zeros(0, "S1")


def variable(names):
    return np.array(names, dtype=h5py.string_dtype()) if names else np.zeros(0)


KERAS1 = {"kernel": "W", "bias": "b", "gamma": "gamma", "beta": "beta", "moving_mean": "running_mean",
          "moving_variance": "running_std"}


def keras1(layer, base):
    return f"{layer}_{KERAS1[base]}"


def keras2(layer, base):
    return f"{layer}/{base}:0"


def theano(flip, oihw=True):
    def change(base, w):
        if base != "kernel":
            return w
        if w.ndim == 4:
            w = w[::-1, ::-1] if flip else w
            return np.ascontiguousarray(w.transpose(3, 2, 0, 1) if oihw else w)
        if oihw and w.shape[0] % 49 == 0:  # the first linear layer: channels first
            c = w.shape[0] // 49
            return np.ascontiguousarray(w.reshape(7, 7, c, -1).transpose(2, 0, 1, 3).reshape(49 * c, -1))
        return w
    return change


def by_hand(golden):
    model = vgg("vgg11")
    want, kind = logits(model), "Keras HDF5 weights"

    def named(name, *args, **kw):
        write_named(golden.path(name), model, *args, **kw)
        golden.told(name, kind, "vgg11", 1e-3, want)

    named("keras1_tf.h5", keras1, fixed, backend=None)
    named("keras1_theano.h5", keras1, fixed, backend=None, change=theano(True))
    named("keras1_theano_tf_kernels.h5", keras1, fixed, change=theano(False))
    named("keras2_theano.h5", keras2, fixed, backend="theano", change=theano(True, oihw=False))
    named("keras2_variable.h5", keras2, variable)
    named("keras2_split.h5", keras2, fixed, split=True)
    named("keras2_gzip.h5", keras2, fixed, compression="gzip")
    named("keras2_shuffle.h5", keras2, fixed, shuffle=True)
    named("keras2_big_endian.h5", keras2, fixed, change=lambda name, w: w.astype(">f4"))
    named("keras2_f64.h5", keras2, fixed, change=lambda name, w: w.astype("<f8"))
    with h5py.File(golden.path("keras2_odd_chunks.h5"), "w") as file:
        layers = list(leaves(model))
        file.attrs["layer_names"] = fixed([layer.name for layer in layers])
        file.attrs["backend"] = b"theano"
        for layer in layers:
            group = file.create_group(layer.name)
            names = [keras2(layer.name, w.path.split("/")[-1]) for w in layer.weights]
            group.attrs["weight_names"] = fixed(names)
            for name, w in zip(names, layer.weights):
                w = theano(True, oihw=False)(w.path.split("/")[-1], np.array(w))
                chunks = {1: (3,), 2: (100, 4), 4: (2, 2, 5, 4)}[w.ndim]
                chunks = tuple(min(a, b) for a, b in zip(chunks, w.shape))
                group.create_dataset(name, data=w, chunks=chunks, compression="gzip", shuffle=True)
    golden.told("keras2_odd_chunks.h5", kind, "vgg11", 1e-3, want)
    with h5py.File(golden.path("keras2_latest.h5"), "w", libver="latest") as file:
        # few layers in a group: links stay compact
        write = [layer for layer in leaves(model) if layer.weights]
        file.attrs["layer_names"] = fixed(["a", "b"])
        for part, layers in (("a", write[:8]), ("b", write[8:])):
            group = file.create_group(part)
            names = []
            for i, layer in enumerate(layers):
                for w in layer.weights:
                    names.append(f"{i % 4}/{i // 4}/{w.path.split('/')[-1]}")
                    group[names[-1]] = np.array(w)
            group.attrs["weight_names"] = fixed(names)
        file.attrs["backend"] = b"tensorflow"
    golden.told("keras2_latest.h5", kind, "vgg11", 1e-3, want)


# ---- what Keras writes itself ----

def keras3(golden):
    model = vgg("vgg11")
    want = logits(model)
    model.save(golden.path("keras3.keras"))
    golden.told("keras3.keras", "Keras .keras", "vgg11", 1e-3, want)
    model.save_weights(golden.path("keras3.weights.h5"))
    golden.told("keras3.weights.h5", "Keras .weights.h5", "vgg11", 1e-3, want)
    model.compile(optimizer="adam", loss="categorical_crossentropy")
    model.save(golden.path("keras3_model.h5"))
    golden.told("keras3_model.h5", "Keras HDF5 model", "vgg11", 1e-3, want)

    model = vgg("vgg16", names=False)
    model.save_weights(golden.path("keras3_vgg16.weights.h5"))
    golden.told("keras3_vgg16.weights.h5", "Keras .weights.h5", "vgg16", 1e-3, logits(model))

    model = vgg("vgg11", norm=True)
    want = logits(model)
    model.save(golden.path("keras3_bn.keras"))
    golden.told("keras3_bn.keras", "Keras .keras", "vgg11_bn", 1e-3, want)
    model.save(golden.path("keras3_bn_model.h5"))
    golden.told("keras3_bn_model.h5", "Keras HDF5 model", "vgg11_bn", 1e-3, want)
    model = vgg("vgg11", norm=True, conv_bias=False, scale=False)
    model.save(golden.path("keras3_bn_bare.h5"))
    golden.told("keras3_bn_bare.h5", "Keras HDF5 model", "vgg11_bn", 1e-3, logits(model))

    base = vgg("vgg11", norm=True)
    features = keras.Model(base.inputs, base.get_layer("block5_pool").output, name="backbone")
    model = keras.Sequential([keras.Input((224, 224, 3)), features, L.Flatten(), L.Dense(7, activation="relu"),
                              L.Dense(6, activation="relu"), L.Dense(CLASSES, activation="softmax")])
    randomise(model, 11)
    want = logits(model)
    model.save(golden.path("keras3_nested.keras"))
    golden.told("keras3_nested.keras", "Keras .keras", "vgg11_bn", 1e-3, want)
    model.save(golden.path("keras3_nested_model.h5"))
    golden.told("keras3_nested_model.h5", "Keras HDF5 model", "vgg11_bn", 1e-3, want)

    for dtype in ("bfloat16", "float16"):
        keras.config.set_dtype_policy(dtype)
        model = vgg("vgg11")
        model.save(golden.path(f"keras3_{dtype}.keras"))
        values = model.get_weights()
        keras.config.set_dtype_policy("float32")
        wide = vgg("vgg11")
        wide.set_weights([np.array(v, dtype=np.float32) for v in values])
        golden.told(f"keras3_{dtype}.keras", "Keras .keras", "vgg11", 1e-3, logits(wide))


def keras2_own(golden):
    model = vgg("vgg11", norm=True)
    want = logits(model)
    model.save_weights(golden.path("tf_keras.h5"))
    golden.told("tf_keras.h5", "Keras HDF5 weights", "vgg11_bn", 1e-3, want)
    model.save(golden.path("tf_keras_model.h5"))
    golden.told("tf_keras_model.h5", "Keras HDF5 model", "vgg11_bn", 1e-3, want)
    model.save(golden.path("tf_keras.keras"))
    golden.told("tf_keras.keras", "Keras .keras", "vgg11_bn", 1e-3, want)
    model.save_weights(golden.path("tf_keras.weights.h5"))
    golden.told("tf_keras.weights.h5", "Keras .weights.h5", "vgg11_bn", 1e-3, want)


# ---- seeds: one of each structure, as small as h5py makes them ----

def seed_named(path, strings, backend=b"tensorflow", libver="earliest", order="<f4", **how):
    with h5py.File(path, "w", libver=libver) as file:
        file.attrs["layer_names"] = strings(["c", "d"])
        if backend:
            file.attrs["backend"] = backend
        for layer, shape in (("c", (2, 3, 3, 3) if not backend else (3, 3, 3, 2)), ("d", (98, 2))):
            group = file.create_group(layer)
            group.attrs["weight_names"] = strings([f"{layer}/kernel:0", f"{layer}/bias:0"])
            values = np.arange(np.prod(shape), dtype=order).reshape(shape)
            group.create_dataset(f"{layer}/kernel:0", data=values, **how)
            group[f"{layer}/bias:0"] = np.ones(2, order)


def seed_compact(path):
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = fixed(["c"])
        file.attrs["backend"] = b"tensorflow"
        group = file.create_group("c")
        group.attrs["weight_names"] = fixed(["c/kernel:0"])
        how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        how.set_layout(h5py.h5d.COMPACT)
        inner = group.create_group("c")
        data = h5py.h5d.create(inner.id, b"kernel:0", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((3, 3, 3, 2)), how)
        data.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(54, dtype="<f4").reshape(3, 3, 3, 2))


def seed_numbered(path, container="layers", **how):
    with h5py.File(path, "w") as file:
        for i in (0, 1, 10):
            group = file.create_group(f"{container}/conv2d{f'_{i}' if i else ''}/vars")
            group["0"] = np.ones((3, 3, 1, 1), "<f4")
            group["1"] = np.ones(1, "<f2")
        inner = file.create_group(f"{container}/functional/layers/batch_normalization/vars", **how)
        for i in range(4):
            inner[str(i)] = np.ones(1, "<f4")
        odd = file.create_dataset(f"{container}/dense/vars/0", data=np.ones((2, 2), "V2"))
        odd.attrs["dtype"] = "bfloat16"


def seed_config():
    """Each class of layer that the reader knows, once, without what it does not look at."""
    import json
    x = keras.Input((64, 64, 3))
    y = keras.applications.vgg16.preprocess_input(x)
    y = L.Normalization(mean=[1.0, 2, 3], variance=[4.0, 5, 6])(L.Rescaling(2.0)(L.RandomFlip()(y)))
    y = L.ReLU()(L.BatchNormalization(name="n")(L.Conv2D(2, 3, name="c")(L.ZeroPadding2D(1)(y))))
    y = L.Flatten()(L.MaxPooling2D()(L.Activation("relu")(y)))
    y = L.Softmax()(L.Dense(2, name="d")(L.Dropout(0.5)(y)))

    def plain(value):
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items() if "initializer" not in k and "constraint" not in k and "regularizer"
                    not in k and k not in ("module", "registered_name", "build_config", "dtype", "trainable")}
        return [plain(v) for v in value] if isinstance(value, list) else value
    return json.dumps(plain(json.loads(keras.Model(x, y).to_json())))


def seeds(out):
    at = lambda name: os.path.join(out, name)  # noqa: E731
    seed_named(at("fixed.h5"), fixed)
    seed_named(at("variable.h5"), variable)
    seed_named(at("theano.h5"), fixed, backend=b"theano")
    seed_named(at("keras1.h5"), fixed, backend=None)
    seed_named(at("gzip.h5"), fixed, compression="gzip", shuffle=True, chunks=True)
    seed_named(at("chunks.h5"), variable, backend=b"theano", chunks=True)
    seed_named(at("big_endian.h5"), fixed, order=">f4")
    seed_named(at("latest.h5"), variable, libver="latest")
    seed_compact(at("compact.h5"))
    seed_numbered(at("numbered.weights.h5"))
    seed_numbered(at("numbered_ordered.weights.h5"), track_order=True)
    seed_numbered(at("numbered_2_13.weights.h5"), "_layer_checkpoint_dependencies")
    config = seed_config()
    with h5py.File(at("config.h5"), "w") as file:
        file.attrs["model_config"] = config
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = fixed(["c", "n", "d"])
        group.attrs["backend"] = b"tensorflow"
        for layer, names, shape in (("c", ["kernel", "bias"], (3, 3, 3, 2)), ("n", ["gamma", "beta", "moving_mean", "moving_variance"], (2,)),
                                    ("d", ["kernel", "bias"], (98, 2))):
            inner = group.create_group(layer)
            inner.attrs["weight_names"] = fixed([f"{layer}/{name}" for name in names])
            for i, name in enumerate(names):
                inner.create_dataset(f"{layer}/{name}", data=np.ones(shape if i == 0 else shape[-1:], "<f4"))
    with zipfile.ZipFile(at("config.keras"), "w") as archive:
        archive.writestr("config.json", config)
        archive.write(at("numbered.weights.h5"), "model.weights.h5")
    with zipfile.ZipFile(at("numbered.keras"), "w") as archive:
        archive.writestr("config.json", "{}")
        archive.write(at("numbered.weights.h5"), "model.weights.h5")


# ---- what is refused ----

def lone(file, **how):
    """One convolution; `how` makes its kernel."""
    file.attrs["layer_names"] = fixed(["c"])
    file.attrs["backend"] = b"tensorflow"
    group = file.create_group("c")
    group.attrs["weight_names"] = fixed(["kernel:0"])
    if how:
        group.create_dataset("kernel:0", **how)
    return group


def refused(out):
    lines = [f"# h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}"]
    kernel = np.arange(54, dtype="<f4").reshape(3, 3, 3, 2)

    def case(name, message, make, **how):
        with h5py.File(os.path.join(out, name + ".h5"), "w", **how) as file:
            make(file)
        lines.append(f"refuse {name}.h5 | {message}")

    def linked(link):
        def make(file):
            lone(file)["kernel:0"] = link
        return make

    def filtered(**how):
        return lambda file: lone(file, data=kernel, chunks=True, **how) and None

    def virtual(file):
        layout = h5py.VirtualLayout((3, 3, 3, 2), "<f4")
        layout[...] = h5py.VirtualSource("other.h5", "d", (3, 3, 3, 2))
        lone(file).create_virtual_dataset("kernel:0", layout)

    def dense_links(file):
        group = lone(file)
        for i in range(20):
            group.create_group(f"g{i}")

    def committed(file):
        file["type"] = np.dtype("<f4")
        lone(file).create_dataset("kernel:0", data=kernel, dtype=file["type"])

    def half_written(file):
        data = lone(file).create_dataset("kernel:0", (64, 64), "<f4", chunks=(16, 16))
        data[:16] = 1

    case("external", "external storage, which is never followed",
         lambda f: lone(f, shape=(3, 3, 3, 2), dtype="<f4", external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)]))
    case("external_link", "is an external link, which is never followed", linked(h5py.ExternalLink("other.h5", "/d")))
    case("soft_link", "'kernel:0' is a soft link, which is never followed", linked(h5py.SoftLink("/c/kernel:0")))
    case("virtual", "a virtual dataset, whose bytes are in other files and never followed", virtual, libver="latest")
    case("lzf", "filter 32000 (of a plugin)", filtered(compression="lzf"))
    case("fletcher32", "filter 3 (fletcher32)", filtered(fletcher32=True))
    case("scaleoffset", "filter 6 (scaleoffset)", filtered(scaleoffset=2))
    case("unallocated", "a dataset without bytes (unallocated)", lambda f: lone(f, shape=(3, 3, 3, 2), dtype="<f4"))
    case("half_written", "is not there (unallocated)", half_written)
    case("dense_links", "a group with dense links", dense_links, libver="latest")
    case("new_chunks", "chunks with an index of HDF5 1.10", filtered(), libver="latest")
    case("committed", "a dataset with a shared type", committed)
    case("nine_dimensions", "a dataspace of 9 dimensions, at most 8 allowed", lambda f: lone(f, data=np.ones((1,) * 9, "<f4")))
    case("big_chunk", "at most 50331648 allowed: save the file again with smaller chunks",
         lambda f: lone(f, shape=(1 << 12, 1 << 16), dtype="<f4", chunks=(1 << 8, 1 << 4), compression="gzip")
         .__getitem__("kernel:0").__setitem__((0, 0), 1))
    case("texts", "holds no weights", lambda f: lone(f, data=np.array([b"abc"])))
    case("missing_group", "layer 'd' is named, but not in the file",
         lambda f: lone(f, data=kernel).file.attrs.__setitem__("layer_names", fixed(["c", "d"])))
    case("missing_weight", "names a weight '../c/kernel:0', which is not in the file",
         lambda f: lone(f, data=kernel).attrs.__setitem__("weight_names", fixed(["../c/kernel:0"])))
    case("group_as_weight", "'c/kernel:0' is not a dataset", lambda f: lone(f).create_group("kernel:0"))
    case("numbers_as_names", "attribute 'layer_names' holds no texts",
         lambda f: f.attrs.__setitem__("layer_names", np.arange(3)))
    case("not_keras", "an HDF5 file, but not one of Keras 1, 2 or 3", lambda f: f.create_dataset("a", data=kernel))
    case("keras0", "an HDF5 file, but not one of Keras 1, 2 or 3", lambda f: f.attrs.__setitem__("nb_layers", 3))
    case("twice", "is there twice",
         lambda f: lone(f, data=kernel).attrs.__setitem__("weight_names", fixed(["kernel:0", "kernel:0"])))
    case("many_chunks", "a dataset of more than 524288 chunks",
         lambda f: lone(f, shape=(1 << 20,), dtype="<f4", chunks=(1,)).__getitem__("kernel:0").__setitem__(0, 1))
    case("huge_chunk", "chunks of 8388608 elements, 1 to 16777216 bytes are allowed",
         lambda f: lone(f, shape=(1 << 23,), dtype="<f4", chunks=(1 << 23,), compression="gzip")
         .__getitem__("kernel:0").__setitem__(0, 1))
    case("deep", "models inside models, more than 4 deep",
         lambda f: f.create_dataset("/layers/a" * 5 + "/vars/0", data=kernel))
    case("gap", "has 2 variables, but none is called 0",
         lambda f: [f.create_dataset(f"/layers/a/vars/{i}", data=kernel) for i in (1, 2)])

    def many_names(file):
        for i in range(2):
            file.attrs[f"layer_names{i}"] = np.zeros(32769, "S1")
    case("many_names", "an attribute of more than 65536 texts", many_names)
    with open(os.path.join(out, "refused.txt"), "w") as file:
        file.write("\n".join(lines) + "\n")


def main():
    import tensorflow
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    if PART in ("seeds", "refused"):
        (seeds if PART == "seeds" else refused)(out)
        return
    versions = f"keras {keras.__version__}, tensorflow {tensorflow.__version__}, h5py {h5py.__version__}"
    golden = Golden(out, PART or "keras3", versions)
    if PART == "tf213":
        model = vgg("vgg11", norm=True, names=False)
        model.save(golden.path("tf213.keras"))
        golden.told("tf213.keras", "Keras .keras", "vgg11_bn", 1e-3, logits(model))
    elif PART == "legacy":
        keras2_own(golden)
    else:
        keras3(golden)
        by_hand(golden)
    golden.close()


if __name__ == "__main__":
    main()
