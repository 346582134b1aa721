#!/usr/bin/env python3
"""Write the small models in tests/formats/input/ that say themselves what their input is, and the logits their writers give.

    make_input_goldens.py keras OUT    with TensorFlow and Keras (2.21 and 3.15 wrote those that are there), tf_keras 2.21
    make_input_goldens.py saved OUT    with the same: SavedModels, as directories
    make_input_goldens.py torch OUT    with PyTorch (2.15), onnx and onnxscript
    make_input_goldens.py first OUT    with Keras on PyTorch (KERAS_BACKEND=torch), which runs channels_first on a CPU

The weights are those of narrow_vgg.py. Each part writes its files and input_<part>.txt:

    model NAME | ARCHITECTURE | HEAD | ORDER | UNIT | EPSILON | the logits     of picture() with its channels in ORDER
                                                                              ("rgb", "bgr"), from 0 to UNIT (1, 255)
    refuse NAME | text of the note
    named NAME | text of the note                                             layers by the variables' names alone

EPSILON is 0 where there is no batch norm. A picture that is handed to such a model plainly has to give these logits once
it is prepared as the model's facts say.
"""
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
PART = sys.argv[1] if len(sys.argv) > 2 else ""
OUT = sys.argv[2] if len(sys.argv) > 2 else ""
if PART == "first":
    os.environ["KERAS_BACKEND"] = "torch"

import numpy  # noqa: E402

import narrow_vgg  # noqa: E402

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
CAFFE = [103.939, 116.779, 123.68]  # blue first


def picture():
    """(1, 3, 224, 224), whole numbers from 0 to 255, red first."""
    return numpy.floor((narrow_vgg.noise(98, (1, 3, narrow_vgg.SIDE, narrow_vgg.SIDE)) + 1) * 128).astype(numpy.float32)


class Lines:
    def __init__(self, versions):
        self.path, self.lines = os.path.join(OUT, f"input_{PART}.txt"), [f"# make_input_goldens.py {PART}: {versions}"]

    def model(self, name, arch, logits, order="rgb", unit=255, epsilon=0, head="logits"):
        numbers = " ".join(repr(float(value)) for value in numpy.asarray(logits).reshape(-1))
        self.lines.append(f"model {name} | {arch} | {head} | {order} | {unit} | {epsilon:g} | {numbers}")

    def refuse(self, name, text):
        self.lines.append(f"refuse {name} | {text}")

    def named(self, name, text):
        self.lines.append(f"named {name} | {text}")

    def close(self):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("\n".join(self.lines) + "\n")


def fed(order, unit):
    """picture() as a model wants to be handed it, channels first."""
    p = picture() if order == "rgb" else picture()[:, ::-1]
    return numpy.ascontiguousarray(p if unit == 255 else p / numpy.float32(255))


# ---- Keras ----

def keras_layers(keras, norm, epsilon=1e-3, activation=None, first=False, flatten_first=None, names=None, softmax=False):
    """Layers of a narrow VGG-11, and what sets their weights."""
    layers_, weights, todo, number = keras.layers, narrow_vgg.weights(norm), [], 0
    where = {"data_format": "channels_first"} if first else {}
    out = []
    for i, channels in enumerate(narrow_vgg.CHANNELS):
        name = {"name": names[i]} if names else {}
        conv = layers_.Conv2D(channels, 3, padding="same", activation=None if norm else "relu", **where, **name)
        todo.append((conv, [weights[f"features.{number}.weight"].transpose(2, 3, 1, 0), weights[f"features.{number}.bias"]]))
        out.append(conv)
        if norm:
            bn = layers_.BatchNormalization(epsilon=epsilon, axis=1 if first else -1)
            todo.append((bn, [weights[f"features.{number + 1}.{what}"]
                              for what in ("weight", "bias", "running_mean", "running_var")]))
            out += [bn, layers_.Activation("relu") if i % 2 else layers_.ReLU()]
        number += (3 if norm else 2) + (i in narrow_vgg.POOL_AFTER)
        if i in narrow_vgg.POOL_AFTER:
            out.append(layers_.MaxPooling2D(2, **where))
    top = [layers_.Flatten(**({"data_format": flatten_first} if flatten_first else {}))]
    for number, units in zip((0, 3, 6), narrow_vgg.HIDDEN + [narrow_vgg.CLASSES]):
        last = number == 6
        dense = layers_.Dense(units, activation=activation if last else "relu")
        weight = weights[f"classifier.{number}.weight"]
        if number == 0 and flatten_first != "channels_last":
            weight = weight.reshape(units, -1, 7, 7).transpose(0, 2, 3, 1).reshape(units, -1)
        todo.append((dense, [weight.T, weights[f"classifier.{number}.bias"]]))
        top += [dense] if last else [dense, layers_.Dropout(0.5)]
    if softmax:
        top.append(layers_.Softmax())
    return out, top, todo


def set_weights(todo):
    for layer, values in todo:
        layer.set_weights([numpy.ascontiguousarray(value) for value in values])


def answer(model, order="rgb", unit=255, first=False):
    x = fed(order, unit)
    return numpy.asarray(model.predict(x if first else x.transpose(0, 2, 3, 1), verbose=0))[0]


def logits_of(keras, model, todo, **how):
    """Of a model that ends in a softmax: the same without it."""
    last = todo[-1][0]
    if model.layers[-1] is not last:
        inner = keras.Model(model.inputs, last.output)
    elif keras.activations.serialize(last.activation) in ("linear", None):
        inner = model
    else:
        inner = keras.models.clone_model(model)
        inner.set_weights(model.get_weights())
        inner.layers[-1].activation = keras.activations.linear
    return answer(inner, **how)


def make_keras():
    from importlib.metadata import version
    import keras
    import tf_keras
    lines = Lines(", ".join(f"{what} {version(what)}" for what in ("tensorflow", "keras", "tf_keras")))

    def save(model, name, logits, arch, **what):
        model.save(os.path.join(OUT, name))
        lines.model(name, arch, logits, **what)

    shape = (224, 224, 3)
    # a scale, an epsilon of its own, probabilities by a layer of their own
    features, top, todo = keras_layers(keras, True, 0.02, softmax=True)
    model = keras.Sequential([keras.Input(shape), keras.layers.Rescaling(1 / 255.0), keras.layers.RandomFlip()] + features + top)
    set_weights(todo)
    logits = logits_of(keras, model, todo)
    save(model, "keras_rescaling.keras", logits, "vgg11_bn", epsilon=0.02, head="probabilities")
    save(model, "keras_rescaling.h5", logits, "vgg11_bn", epsilon=0.02, head="probabilities")
    # mean and variance that a layer learnt; the names of the layers are in no order
    names = [f"block{9 - i}_conv" for i in range(8)]
    features, top, todo = keras_layers(keras, False, names=names)
    learnt = keras.layers.Normalization()
    model = keras.Sequential([keras.Input(shape), learnt] + features + top)
    learnt.set_weights([numpy.array([123.0, 117.0, 104.0], "f4"), numpy.array([3400.0, 3300.0, 3200.0], "f4"),
                        numpy.array(7)][:len(learnt.get_weights())])
    learnt.finalize_state()
    set_weights(todo)
    logits = logits_of(keras, model, todo)
    save(model, "keras_learnt.keras", logits, "vgg11")
    save(model, "keras_learnt.h5", logits, "vgg11")
    # keras.applications' own way inside the model: red comes in first and blue goes on first
    features, top, todo = keras_layers(keras, True, 1e-5, activation="softmax")
    x = inputs = keras.Input(shape)
    x = keras.applications.vgg16.preprocess_input(x)
    for layer in features + top:
        x = layer(x)
    model = keras.Model(inputs, x)
    set_weights(todo)
    logits = logits_of(keras, model, todo)
    save(model, "keras_preprocess.keras", logits, "vgg11_bn", epsilon=1e-5, head="probabilities")
    save(model, "keras_preprocess.h5", logits, "vgg11_bn", epsilon=1e-5, head="probabilities")
    # a trunk inside a model, each with its own scale
    features, top, todo = keras_layers(keras, False)
    x = inputs = keras.Input(shape, name="trunk_input")
    for layer in features:
        x = layer(x)
    trunk = keras.Model(inputs, x, name="trunk")
    model = keras.Sequential([keras.Input(shape), keras.layers.Rescaling(1 / 127.5, -1), trunk] + top)
    set_weights(todo)
    logits = logits_of(keras, model, todo)
    save(model, "keras_trunk.keras", logits, "vgg11")
    save(model, "keras_trunk.h5", logits, "vgg11")
    # Keras 2
    features, top, todo = keras_layers(tf_keras, True, 0.005, activation="softmax")
    x = inputs = tf_keras.Input(shape)
    x = tf_keras.applications.vgg16.preprocess_input(x)
    for layer in features + top:
        x = layer(x)
    model = tf_keras.Model(inputs, x)
    set_weights(todo)
    logits = logits_of(tf_keras, model, todo)
    save(model, "keras2_preprocess.h5", logits, "vgg11_bn", epsilon=0.005, head="probabilities")
    # as .keras tf_keras cannot write this one
    make_refused(keras, lines)
    make_frozen(keras, lines)
    lines.close()


def make_refused(keras, lines):
    """Models that are not a VGG in one place each: small ones, as the weights do not matter."""
    L, shape = keras.layers, (224, 224, 3)

    def model(change):
        out = [keras.Input(shape)]
        for i in range(8):
            conv = {"padding": "same", "activation": "relu"}
            conv.update(change.get(("conv", i), {}))
            out.append(L.Conv2D(2 + i % 3, conv.pop("kernel", 3), **conv))
            out += change.get(("after", i), [])
            if i in narrow_vgg.POOL_AFTER:
                out.append(L.MaxPooling2D(**change.get(("pool", i), {})))
        out += [L.Flatten(), L.Dense(3, activation=change.get("hidden", "relu")), L.Dense(4, activation="relu"),
                L.Dense(5, activation=change.get("last", "softmax"))]
        return keras.Sequential(out[:1] + change.get("before", []) + out[1:])

    norms = {("conv", i): {"activation": None} for i in range(8)}
    norms.update({("after", i): [L.BatchNormalization(name=f"norm{i}", epsilon=0.01 if i == 6 else 0.001), L.ReLU()]
                  for i in range(8)})
    cases = {
        "epsilons": (norms, "layer 'norm6' (BatchNormalization): it adds 0.01 to the variance, those before it 0.001"),
        "sigmoid": ({"last": "sigmoid"}, "activation 'sigmoid' where a VGG has none"),
        "tanh": ({"hidden": "tanh"}, "activation 'tanh' where a VGG has none"),
        "valid": ({("conv", 4): {"padding": "valid"}}, "(Conv2D): its border is not a VGG's"),
        "strided": ({("conv", 4): {"strides": 2}}, "(Conv2D): its stride, dilation or groups are not a VGG's"),
        "pool": ({("pool", 3): {"pool_size": 3}}, "(MaxPooling2D): its size, stride or border is not a VGG's"),
        "resizing": ({"before": [L.Resizing(224, 224)]}, "(Resizing): a layer that a VGG has not"),
        "average": ({("after", 5): [L.AveragePooling2D(1)]}, "(AveragePooling2D): a layer that a VGG has not"),
        "slope": ({("conv", 2): {"activation": None}, ("after", 2): [L.LeakyReLU()]},
                  "(LeakyReLU): a layer that a VGG has not"),
        "lambda": ({"before": [L.Lambda(lambda x: x * 2)]}, "(Lambda): a layer that a VGG has not"),
    }
    for name, (change, text) in cases.items():
        path = f"refused_{name}.keras"
        model(change).save(os.path.join(OUT, path))
        lines.refuse(path, text)


def make_frozen(keras, lines):
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
    features, top, todo = keras_layers(keras, False)
    x = inputs = keras.Input((224, 224, 3))
    for layer in features + top:
        x = layer(x)
    net = keras.Model(inputs, x)
    set_weights(todo)
    ways = {
        "tf_scale": (lambda x: net((x / 255.0 - tf.constant(MEAN)) / tf.constant(STD), training=False), "rgb"),
        "tf_slice": (lambda x: net(x[..., ::-1] - tf.constant(CAFFE), training=False), "rgb"),
        "tf_reverse": (lambda x: net(tf.nn.bias_add(tf.reverse(x, [-1]), [-c for c in CAFFE]), training=False), "rgb"),
        "tf_gather": (lambda x: net(tf.gather(x, [2, 1, 0], axis=3) - tf.constant(CAFFE), training=False), "rgb"),
        "tf_blue": (lambda x: net(x - tf.constant(CAFFE), training=False), "bgr"),
    }
    refused = {
        "tf_turned": (lambda x: net(x[..., ::-1], training=False), "turns the channels round without saying"),
        "tf_pixels": (lambda x: net(x - tf.zeros([224, 1, 3]) - tf.constant(1.0, shape=[224, 1, 3]), training=False),
                      "with something else than a number for each channel"),
        "tf_part": (lambda x: net(x[:, ::-1], training=False), "(Conv2D): the picture's channels are not where it looks for them"),
    }
    for name, (way, order) in list(ways.items()) + [(n, (w, None)) for n, (w, _) in refused.items()]:
        graph = convert_variables_to_constants_v2(
            tf.function(way).get_concrete_function(tf.TensorSpec([1, 224, 224, 3], tf.float32)))
        path = name + ".pb"
        tf.io.write_graph(graph.graph.as_graph_def(), OUT, path, as_text=False)
        if order:
            x = tf.constant(fed(order, 255).transpose(0, 2, 3, 1).copy())
            lines.model(path, "vgg11", graph(x)[0].numpy(), order=order)
        else:
            lines.refuse(path, refused[name][1])


# ---- SavedModels ----

def keep(name):
    """What is read: no fingerprint, no Keras metadata, no empty assets."""
    import shutil
    for extra in ("fingerprint.pb", "keras_metadata.pb"):
        path = os.path.join(OUT, name, extra)
        if os.path.exists(path):
            os.remove(path)
    shutil.rmtree(os.path.join(OUT, name, "assets"), ignore_errors=True)


def make_saved():
    from importlib.metadata import version
    import keras
    import tensorflow as tf
    import tf_keras
    lines = Lines(", ".join(f"{what} {version(what)}" for what in ("tensorflow", "keras", "tf_keras")))
    shape = (224, 224, 3)

    def path(name):
        return os.path.join(OUT, name)

    # Keras 3: a scale, an epsilon of its own, probabilities
    features, top, todo = keras_layers(keras, True, 0.02, softmax=True)
    model = keras.Sequential([keras.Input(shape), keras.layers.Rescaling(1 / 255.0)] + features + top)
    set_weights(todo)
    logits = logits_of(keras, model, todo)
    model.export(path("saved_export"), verbose=False)
    keep("saved_export")
    lines.model("saved_export", "vgg11_bn", logits, epsilon=0.02, head="probabilities")
    features, top, todo = keras_layers(keras, False)
    model = keras.Sequential([keras.Input(shape), keras.layers.Rescaling(1 / 127.5, -1)] + features + top)
    set_weights(todo)
    tf.saved_model.save(model, path("saved_saved"))
    keep("saved_saved")
    lines.model("saved_saved", "vgg11", logits_of(keras, model, todo))
    # Keras 2; without its traces there is no graph
    features, top, todo = keras_layers(tf_keras, False, activation="softmax")
    x = inputs = tf_keras.Input(shape)
    x = tf_keras.applications.vgg16.preprocess_input(x)
    for layer in features + top:
        x = layer(x)
    model = tf_keras.Model(inputs, x)
    set_weights(todo)
    for name in ("saved_keras2", "saved_untraced"):
        model.save(path(name), save_format="tf", save_traces=name == "saved_keras2")
        keep(name)
    lines.model("saved_keras2", "vgg11", logits_of(tf_keras, model, todo), head="probabilities")
    lines.named("saved_untraced", "its graph is not followed (it has no signature serving_default)")
    make_saved_modules(keras, tf, lines, path)
    make_saved_v1(tf, lines, path)
    lines.close()


def make_saved_modules(keras, tf, lines, path):
    """Programs of one's own around a network."""
    features, top, todo = keras_layers(keras, False)
    x = inputs = keras.Input((224, 224, 3))
    for layer in features + top:
        x = layer(x)
    net = keras.Model(inputs, x)
    set_weights(todo)
    inner = tf.function(lambda x: net(x, training=False))

    def save(name, way, side=224):
        program = tf.Module()
        program.net = net
        program.serve = tf.function(lambda x: {"logits": way(x)},
                                    input_signature=[tf.TensorSpec([None, side, side, 3], tf.float32)])
        tf.saved_model.save(program, path(name), signatures=program.serve)
        keep(name)
        return program

    def unit(x):
        return net((x / 255.0 - tf.constant(MEAN)) / tf.constant(STD), training=False)

    program = save("saved_module", unit)
    x = tf.constant(fed("rgb", 255).transpose(0, 2, 3, 1).copy())
    lines.model("saved_module", "vgg11", program.serve(x)["logits"].numpy())
    save("saved_resize", lambda x: unit(tf.image.resize(x, [224, 224])), 256)
    lines.refuse("saved_resize", "(ResizeBilinear): an operator that a VGG has not")
    save("saved_call", lambda x: inner(x / 255.0) / 2.0)
    lines.named("saved_call", "its graph is not followed (a function is called among its operators)")


def make_saved_v1(tf, lines, path):
    """TensorFlow 1: a session's graph with its variables."""
    v1 = tf.compat.v1
    weights = narrow_vgg.weights(False)
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 224, 224, 3], name="image")
        y, number = x[..., ::-1] - tf.constant(CAFFE), 0
        for i, _ in enumerate(narrow_vgg.CHANNELS):
            with v1.variable_scope(f"conv{i}"):
                kernel = v1.get_variable("kernel", initializer=weights[f"features.{number}.weight"].transpose(2, 3, 1, 0),
                                         use_resource=bool(i % 2))
                bias = v1.get_variable("bias", initializer=weights[f"features.{number}.bias"], use_resource=bool(i % 2))
                y = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(y, kernel, 1, "SAME"), bias))
            number += 2 + (i in narrow_vgg.POOL_AFTER)
            if i in narrow_vgg.POOL_AFTER:
                y = tf.nn.max_pool2d(y, 2, 2, "VALID")
        y = tf.reshape(y, [-1, 49 * narrow_vgg.CHANNELS[-1]])
        for i in (0, 3, 6):
            weight = weights[f"classifier.{i}.weight"]
            if i == 0:
                weight = weight.reshape(weight.shape[0], -1, 7, 7).transpose(0, 2, 3, 1).reshape(weight.shape[0], -1)
            with v1.variable_scope(f"dense{i}"):
                kernel = v1.get_variable("kernel", initializer=numpy.ascontiguousarray(weight.T))
                bias = v1.get_variable("bias", initializer=weights[f"classifier.{i}.bias"])
            y = tf.matmul(y, kernel) + bias
            y = y if i == 6 else tf.nn.relu(y)
        answer_of = tf.nn.softmax(y)
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, path("saved_v1"), {"image": x}, {"answer": answer_of})
        keep("saved_v1")
        logits = session.run(y, {x: fed("rgb", 255).transpose(0, 2, 3, 1)})
    lines.model("saved_v1", "vgg11", logits, head="probabilities")


# ---- channels first ----

def make_first():
    from importlib.metadata import version
    import keras
    lines = Lines(", ".join(f"{what} {version(what)}" for what in ("torch", "keras")))
    keras.backend.set_image_data_format("channels_first")
    for name, flatten in (("keras_first", None), ("keras_first_raw", "channels_last")):
        features, top, todo = keras_layers(keras, True, 0.004, first=True, flatten_first=flatten)
        model = keras.Sequential([keras.Input((3, 224, 224)), keras.layers.Rescaling(1 / 255.0)] + features + top)
        set_weights(todo)
        logits = answer(model, first=True)
        model.save(os.path.join(OUT, name + ".keras"))
        lines.model(name + ".keras", "vgg11_bn", logits, epsilon=0.004)
        if flatten:  # what a file of weights does not say
            model.save_weights(os.path.join(OUT, name + ".weights.h5"))
            plain = keras.Sequential([keras.Input((3, 224, 224))] + features + top)
            lines.model(name + ".weights.h5", "vgg11_bn", answer(plain, order="bgr", first=True), order="bgr", epsilon=0.004,
                        head="unknown")
    lines.close()


# ---- PyTorch ----

def make_torch():
    from importlib.metadata import version
    import torch
    import make_onnx_goldens
    lines = Lines(", ".join(f"{what} {version(what)}" for what in ("torch", "onnx")))
    net = make_onnx_goldens.network(False)
    mean, std = torch.tensor(MEAN).reshape(1, 3, 1, 1), torch.tensor(STD).reshape(1, 3, 1, 1)
    caffe = torch.tensor(CAFFE).reshape(3, 1, 1)

    class Prepared(torch.nn.Module):
        def __init__(self, way):
            super().__init__()
            self.net, self.way = net, way

        def forward(self, x):
            return self.net(self.way(x))

    both = ("script", "dynamo")
    ways = {
        "torch_unit": (lambda x: (x - mean) / std, "rgb", 1, both[:1]),
        "torch_bytes": (lambda x: (x.float() / 255 - mean) / std, "rgb", 255, both[1:]),
        "torch_gather": (lambda x: x[:, [2, 1, 0]] - caffe, "rgb", 255, both),
        "torch_flip": (lambda x: x.flip(1) - caffe, "rgb", 255, both),
        "torch_blue": (lambda x: x - caffe, "bgr", 255, both[:1]),
        "torch_symmetric": (lambda x: x * (2 / 255.0) - 1, "rgb", 255, both[1:]),
    }
    for name, (way, order, unit, exporters) in ways.items():
        module = Prepared(way).eval()
        x = torch.from_numpy(fed(order, unit))
        for exporter, dynamo in (("script", False), ("dynamo", True)):
            if exporter not in exporters:
                continue
            path = f"{name}_{exporter}.onnx"
            torch.onnx.export(module, (x,), os.path.join(OUT, path), dynamo=dynamo,
                              **({"external_data": False} if dynamo else {}))
            make_onnx_goldens.drop_traces(os.path.join(OUT, path))
            with torch.no_grad():
                lines.model(path, "vgg11", module(x).numpy(), order=order, unit=unit)
    lines.close()


if __name__ == "__main__":
    if PART not in ("keras", "saved", "first", "torch"):
        sys.exit(__doc__)
    os.makedirs(OUT, exist_ok=True)
    {"keras": make_keras, "saved": make_saved, "first": make_first, "torch": make_torch}[PART]()
