#!/usr/bin/env python3
"""Write one random VGG16 of full size as other frameworks write it, and the logits that they give for one picture.

    make_full_size_formats.py keras OUT   with TensorFlow and Keras: .h5, .keras, .weights.h5, a SavedModel, a frozen graph
    make_full_size_formats.py torch OUT   with PyTorch, onnx and onnxscript: ONNX by both exporters; safetensors in shards

picture.png (224 x 224) and logits_<part>.json {"name": [1000 numbers]} lie beside them. The picture is prepared as the preset
`keras` does: its own size, blue first, less the means. The same numbers are made in both parts, so that they can be compared.
"""
import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy  # noqa: E402

CHANNELS = [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
POOL_AFTER = {1, 3, 6, 9, 12}
LINEAR = [(25088, 4096), (4096, 4096), (4096, 1000)]
MEAN = numpy.array([103.939, 116.779, 123.68], "f4")  # blue first
SHARD = 200_000_000  # bytes


def weights():
    """[(kernel as out, in, y, x or as out, in; bias)], of a size that keeps the activations' size."""
    rng, out, before = numpy.random.default_rng(16), [], 3
    for channels in CHANNELS:
        kernel = rng.standard_normal((channels, before, 3, 3), "f4") * numpy.float32((2 / (9 * before)) ** 0.5)
        out.append((kernel, rng.standard_normal(channels, "f4") * numpy.float32(0.1)))
        before = channels
    for inputs, outputs in LINEAR:
        kernel = rng.standard_normal((outputs, inputs), "f4") * numpy.float32((2 / inputs) ** 0.5)
        out.append((kernel, rng.standard_normal(outputs, "f4") * numpy.float32(0.1)))
    return out


def pixels():
    """(224, 224, 3), red first."""
    return numpy.random.default_rng(7).integers(0, 256, (224, 224, 3), "u1")


def write_picture(path):
    """A PNG without a library."""
    import struct
    import zlib
    rows = b"".join(b"\0" + row.tobytes() for row in pixels())

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 224, 224, 8, 2, 0, 0, 0)) +
                   chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def prepared():
    """(1, 224, 224, 3)"""
    return (pixels()[..., ::-1].astype("f4") - MEAN)[None]


def make_keras(out):
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
    model = keras.applications.VGG16(weights=None)
    layers = [layer for layer in model.layers if layer.weights]
    for layer, (kernel, bias) in zip(layers, weights()):
        if kernel.ndim == 4:
            kernel = kernel.transpose(2, 3, 1, 0)
        elif kernel.shape[1] == 25088:
            kernel = kernel.reshape(-1, 512, 7, 7).transpose(2, 3, 1, 0).reshape(25088, -1)
        else:
            kernel = kernel.T
        layer.set_weights([numpy.ascontiguousarray(kernel), bias])
    last = model.layers[-1].activation
    model.layers[-1].activation = keras.activations.linear
    logits = keras.Model(model.inputs, model.outputs).predict(prepared(), verbose=0)[0]
    model.layers[-1].activation = last
    names = {"vgg16_model.h5": model.save, "vgg16.keras": model.save, "vgg16.weights.h5": model.save_weights,
             "vgg16_saved": model.export}
    for name, save in names.items():
        save(os.path.join(out, name))
    concrete = tf.function(lambda x: model(x, training=False)).get_concrete_function(tf.TensorSpec([1, 224, 224, 3], tf.float32))
    tf.io.write_graph(convert_variables_to_constants_v2(concrete).graph.as_graph_def(), out, "vgg16.pb", as_text=False)
    return {name: logits for name in [*names, "vgg16.pb"]}


def make_torch(out):
    import torch
    from torch import nn
    layers, before, names = [], 3, []
    for i, channels in enumerate(CHANNELS):
        names.append(f"features.{len(layers)}")
        layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU(inplace=True)]
        layers += [nn.MaxPool2d(2, 2)] if i in POOL_AFTER else []
        before = channels
    head = []
    for i, (inputs, outputs) in enumerate(LINEAR):
        names.append(f"classifier.{len(head)}")
        head += [nn.Linear(inputs, outputs)] + ([nn.ReLU(inplace=True), nn.Dropout()] if i < 2 else [])
    features, classifier = nn.Sequential(*layers), nn.Sequential(*head)

    class Vgg(nn.Module):
        def __init__(self):
            super().__init__()
            self.features, self.avgpool, self.classifier = features, nn.AdaptiveAvgPool2d((7, 7)), classifier

        def forward(self, x):
            return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))
    net = Vgg().eval()
    state = {}
    for name, (kernel, bias) in zip(names, weights()):
        state[name + ".weight"], state[name + ".bias"] = torch.from_numpy(kernel), torch.from_numpy(bias)
    net.load_state_dict(state)
    x = torch.from_numpy(numpy.ascontiguousarray(prepared().transpose(0, 3, 1, 2)))
    with torch.no_grad():
        logits = net(x)[0].numpy()
    torch.onnx.export(net, (x,), os.path.join(out, "script.onnx"), dynamo=False)
    torch.onnx.export(net, (x,), os.path.join(out, "dynamo.onnx"), dynamo=True, external_data=False)
    write_shards(state, os.path.join(out, "sharded"))
    return {name: logits for name in ("script.onnx", "dynamo.onnx", "sharded")}


def write_shards(state, out):
    from safetensors.torch import save_file
    os.makedirs(out, exist_ok=True)
    shards, size = [{}], 0
    for name, tensor in state.items():
        if size and size + tensor.numel() * 4 > SHARD:
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += tensor.numel() * 4
    where = {}
    for i, shard in enumerate(shards, 1):
        file = f"model-{i:05}-of-{len(shards):05}.safetensors"
        save_file(shard, os.path.join(out, file))
        where.update({name: file for name in shard})
    with open(os.path.join(out, "model.safetensors.index.json"), "w", encoding="utf-8") as file:
        json.dump({"metadata": {"total_size": sum(t.numel() * 4 for t in state.values())}, "weight_map": where}, file)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("keras", "torch"):
        sys.exit(__doc__)
    os.makedirs(sys.argv[2], exist_ok=True)
    write_picture(os.path.join(sys.argv[2], "picture.png"))
    answers = {"keras": make_keras, "torch": make_torch}[sys.argv[1]](sys.argv[2])
    with open(os.path.join(sys.argv[2], f"logits_{sys.argv[1]}.json"), "w", encoding="utf-8") as result:
        json.dump({name: [float(value) for value in values] for name, values in answers.items()}, result)
