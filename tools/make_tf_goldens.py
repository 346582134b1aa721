#!/usr/bin/env python3
"""Write the small TensorFlow models in tests/formats/foreign/ and the logits that TensorFlow gives.

    make_tf_goldens.py OUT    with TensorFlow (2.21 wrote those that are there), tf_keras, tf_slim, tf2onnx

The weights are those of narrow_vgg.py; tf_<what>/ are directories, *.pb frozen graphs, keras_*.onnx conversions. Of
directories only what holds weights is kept, and saved_model.pb where it is small. Writes tf.txt.
"""
import os
import shutil
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy
import tensorflow as tf

import narrow_vgg
from narrow_vgg import Golden

TOLERANCE = 2e-5      # of the largest logit, between what was built and what was written
KEPT_DESCRIPTION = 60000  # bytes of a saved_model.pb that is committed
BLOCKS = [1, 1, 2, 2, 2]  # convolutions of each block of a VGG-11


def picture():
    return numpy.ascontiguousarray(narrow_vgg.picture().transpose(0, 2, 3, 1))


def hwio(weight):
    return weight.transpose(2, 3, 1, 0)


def matrices(weights):
    """The linear layers as TensorFlow flattens: [in, out], the first one's inputs in the order y, x, channel."""
    out = []
    for number in (0, 3, 6):
        weight = weights[f"classifier.{number}.weight"]
        if number == 0:
            weight = weight.reshape(weight.shape[0], -1, 7, 7).transpose(0, 2, 3, 1).reshape(weight.shape[0], -1)
        out.append((weight.T, weights[f"classifier.{number}.bias"]))
    return out


def convolutions(weights):
    """Of each: kernel, bias, and gamma, beta, mean, variance if there is a batch norm."""
    names = [name[:-7] for name in weights if name.startswith("features") and weights[name].ndim == 4]
    for name in names:
        after = f"features.{int(name.split('.')[1]) + 1}"
        norm = [weights[f"{after}.{what}"] for what in ("weight", "bias", "running_mean", "running_var")] \
            if f"{after}.running_var" in weights else []
        yield hwio(weights[name + ".weight"]), weights[name + ".bias"], norm


def keras_model(keras, batch_norm, epsilon=1e-3, softmax=True):
    """Named as keras.applications.VGG16 is; ends in a softmax as that does."""
    layers = keras.layers
    weights = narrow_vgg.weights(batch_norm)
    model = keras.Sequential(name="vgg11")
    model.add(layers.Input((224, 224, 3)))
    all_convs = list(convolutions(weights))
    values, number = [], 0
    for block, count in enumerate(BLOCKS):
        for i in range(count):
            kernel, bias, norm = all_convs[number]
            model.add(layers.Conv2D(bias.size, 3, padding="same", activation=None if norm else "relu",
                                    name=f"block{block + 1}_conv{i + 1}"))
            values += [kernel, bias]
            if norm:
                model.add(layers.BatchNormalization(epsilon=epsilon, name=f"block{block + 1}_bn{i + 1}"))
                model.add(layers.Activation("relu"))
                values += norm
            number += 1
        model.add(layers.MaxPooling2D(2, 2, name=f"block{block + 1}_pool"))
    model.add(layers.Flatten(name="flatten"))
    for (weight, bias), name in zip(matrices(weights), ("fc1", "fc2", "predictions")):
        last = "softmax" if softmax else None
        model.add(layers.Dense(bias.size, activation="relu" if name != "predictions" else last, name=name))
        values += [weight, bias]
    model.set_weights(values)
    return model


def logits_of(keras, batch_norm, epsilon=1e-3):
    return keras_model(keras, batch_norm, epsilon, softmax=False)(picture(), training=False).numpy()


def check(name, logits, probabilities):
    wanted = tf.nn.softmax(logits.astype("float64")).numpy()
    worst = numpy.abs(wanted - numpy.asarray(probabilities)).max()
    print(f"{name}: probabilities differ by {worst:.1e}")
    if worst > TOLERANCE:
        sys.exit(f"{name}: what was written gives something else")


class Writer:
    def __init__(self, out):
        from importlib.metadata import version
        self.out = out
        self.golden = Golden(os.path.join(out, "tf.txt"),
                             ", ".join(f"{what} {version(what)}" for what in ("tensorflow", "keras", "tf_keras", "tf_slim",
                                                                              "tf2onnx")))

    def path(self, name):
        return os.path.join(self.out, name)

    def keep(self, name, source):
        """A SavedModel's directory, or a checkpoint's files."""
        target = self.path(name)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        for file in ("fingerprint.pb", "keras_metadata.pb", "checkpoint"):
            if os.path.exists(os.path.join(target, file)) and file != "fingerprint.pb":
                os.remove(os.path.join(target, file))
        big = os.path.join(target, "saved_model.pb")
        if os.path.exists(big) and os.path.getsize(big) > KEPT_DESCRIPTION:
            os.remove(big)
        if os.path.isdir(os.path.join(target, "assets")):
            shutil.rmtree(os.path.join(target, "assets"))


def make_saved_models(w):
    import keras
    import tf_keras

    with tempfile.TemporaryDirectory() as scratch:
        for batch_norm in (False, True):
            suffix, arch = ("_bn", "vgg11_bn") if batch_norm else ("", "vgg11")
            logits = logits_of(keras, batch_norm)
            model = keras_model(keras, batch_norm)
            model.export(os.path.join(scratch, "export" + suffix), verbose=False)
            tf.saved_model.save(model, os.path.join(scratch, "saved" + suffix))
            old = keras_model(tf_keras, batch_norm)
            old.save(os.path.join(scratch, "keras2" + suffix), save_format="tf")
            check("keras2" + suffix, logits, old(picture(), training=False))
            for what in ("export", "saved", "keras2"):
                name = f"tf_{what}{suffix}"
                w.keep(name, os.path.join(scratch, what + suffix))
                w.golden.model(name, "TensorFlow checkpoint", "keras", arch, "unknown", logits)


def frozen(w, name, model, arch, logits):
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
    concrete = tf.function(lambda x: model(x, training=False)).get_concrete_function(tf.TensorSpec([1, 224, 224, 3], tf.float32))
    graph = convert_variables_to_constants_v2(concrete)
    answer = graph(tf.constant(picture()))[0].numpy()
    check(name, logits, answer)
    tf.io.write_graph(graph.graph.as_graph_def(), w.out, name, as_text=False)
    w.golden.model(name, "TensorFlow graph", "keras", arch, "probabilities", logits)


def make_frozen(w):
    import keras
    import tf_keras

    for batch_norm in (False, True):
        suffix, arch = ("_bn", "vgg11_bn") if batch_norm else ("", "vgg11")
        logits = logits_of(keras, batch_norm)
        model, old = keras_model(keras, batch_norm), keras_model(tf_keras, batch_norm)
        frozen(w, f"tf_frozen{suffix}.pb", model, arch, logits)
        frozen(w, f"tf_frozen_keras2{suffix}.pb", old, arch, logits)


def make_slim(w):
    """TensorFlow 1's ways: a graph with variables, a checkpoint, a frozen graph, as slim's nets/vgg.py makes them."""
    import tf_slim as slim
    v1 = tf.compat.v1
    weights = narrow_vgg.weights(False)
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [1, 224, 224, 3], name="input")
        y, scope_of = x, []
        sizes = iter(narrow_vgg.CHANNELS)
        with v1.variable_scope("vgg_a"), slim.arg_scope([slim.conv2d, slim.fully_connected],
                                                        activation_fn=tf.nn.relu,
                                                        biases_initializer=v1.zeros_initializer()):
            for block, count in enumerate(BLOCKS):
                with v1.variable_scope(f"conv{block + 1}"):
                    for i in range(count):
                        y = slim.conv2d(y, next(sizes), [3, 3], padding="SAME", scope=f"conv{block + 1}_{i + 1}")
                        scope_of.append(f"vgg_a/conv{block + 1}/conv{block + 1}_{i + 1}")
                y = slim.max_pool2d(y, [2, 2], scope=f"pool{block + 1}")
            a, b = narrow_vgg.HIDDEN
            y = slim.conv2d(y, a, [7, 7], padding="VALID", scope="fc6")
            y = slim.dropout(y, 0.5, is_training=False, scope="dropout6")
            y = slim.conv2d(y, b, [1, 1], scope="fc7")
            y = slim.conv2d(y, narrow_vgg.CLASSES, [1, 1], activation_fn=None, normalizer_fn=None, scope="fc8")
            y = tf.squeeze(y, [1, 2], name="fc8/squeezed")
            scope_of += ["vgg_a/fc6", "vgg_a/fc7", "vgg_a/fc8"]
        v1.train.get_or_create_global_step()
        session.run(v1.global_variables_initializer())
        values = [(kernel, bias) for kernel, bias, _ in convolutions(weights)]
        a, b = narrow_vgg.HIDDEN
        shapes = [(7, 7, narrow_vgg.CHANNELS[-1], a), (1, 1, a, b), (1, 1, b, narrow_vgg.CLASSES)]
        values += [(weight.reshape(shape), bias) for (weight, bias), shape in zip(matrices(weights), shapes)]
        by_name = {v.op.name: v for v in v1.global_variables()}
        for scope, (kernel, bias) in zip(scope_of, values):
            by_name[scope + "/weights"].load(kernel, session)
            by_name[scope + "/biases"].load(bias, session)
        logits = session.run(y, {x: picture()})
        with tempfile.TemporaryDirectory() as scratch:
            v1.train.Saver(write_version=v1.train.SaverDef.V2).save(session, os.path.join(scratch, "c", "vgg_a.ckpt"),
                                                                    write_meta_graph=False)
            v1.saved_model.simple_save(session, os.path.join(scratch, "s"), {"x": x}, {"y": y})
            w.keep("tf_slim_checkpoint", os.path.join(scratch, "c"))
            w.keep("tf_slim", os.path.join(scratch, "s"))
        w.golden.model("tf_slim_checkpoint", "TensorFlow checkpoint", "tensorflow", "vgg11", "unknown", logits)
        w.golden.model("tf_slim", "TensorFlow checkpoint", "tensorflow", "vgg11", "unknown", logits)
        graph = v1.graph_util.convert_variables_to_constants(session, session.graph_def, [y.op.name])
        tf.io.write_graph(graph, w.out, "tf_slim.pb", as_text=False)
        # float_val, and a last element that stands for the rest
        for node in graph.node:
            if node.op == "Const" and node.attr["value"].tensor.dtype == tf.float32.as_datatype_enum:
                tensor = node.attr["value"].tensor
                array = tf.make_ndarray(tensor)
                fresh = tf.make_tensor_proto(array)
                fresh.ClearField("tensor_content")
                fresh.ClearField("float_val")
                fresh.float_val.extend(array.reshape(-1).tolist())
                tensor.CopyFrom(fresh)
        tf.io.write_graph(graph, w.out, "tf_slim_float_val.pb", as_text=False)
        print("slim", logits.reshape(-1)[:4])
    for name in ("tf_slim.pb", "tf_slim_float_val.pb"):
        w.golden.model(name, "TensorFlow graph", "tensorflow", "vgg11", "logits", logits)
        try:
            import cv2
            net = cv2.dnn.readNetFromTensorflow(w.path(name))
            net.setInput(narrow_vgg.picture())
            theirs = net.forward().reshape(-1)
            print(name, "OpenCV differs by", numpy.abs(theirs - logits.reshape(-1)).max() / numpy.abs(logits).max())
        except Exception as why:  # OpenCV throws its own kind
            print(name, "OpenCV:", str(why).strip().splitlines()[0])


def make_onnx(w):
    import keras
    import onnxruntime
    import tf2onnx

    for batch_norm in (False, True):
        suffix, arch = ("_bn", "vgg11_bn") if batch_norm else ("", "vgg11")
        model, logits = keras_model(keras, batch_norm), logits_of(keras, batch_norm)
        signature = [tf.TensorSpec([1, 224, 224, 3], tf.float32, name="x")]
        path = w.path(f"keras{suffix}.onnx")
        tf2onnx.convert.from_function(tf.function(lambda x: model(x, training=False), signature), signature, opset=15,
                                      output_path=path)
        check(path, logits, onnxruntime.InferenceSession(path).run(None, {"x": picture()})[0])
        w.golden.model(f"keras{suffix}.onnx", "ONNX", "keras", arch, "probabilities", logits)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    os.makedirs(sys.argv[1], exist_ok=True)
    writer = Writer(sys.argv[1])
    make_slim(writer)
    make_saved_models(writer)
    make_frozen(writer)
    make_onnx(writer)
    writer.golden.close()
