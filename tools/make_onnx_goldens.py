#!/usr/bin/env python3
"""Write the small ONNX models in tests/formats/foreign/ and the logits that their writers give.

    make_onnx_goldens.py now OUT   with a current PyTorch (2.15 wrote those that are there), onnx, onnxscript, safetensors
    make_onnx_goldens.py old OUT   with Debian's python3-torch (1.13)

The weights are those of narrow_vgg.py. Each part writes its files and onnx_<part>.txt. Where onnxruntime or OpenCV is at
hand, each file is run there too, and must agree.
"""
import os
import sys

import numpy
import torch
from torch import nn

import narrow_vgg
from narrow_vgg import Golden

TOLERANCE = 2e-5  # of the largest logit, between two frameworks


class Vgg(nn.Module):
    """torchvision.models.vgg.VGG with other widths."""

    def __init__(self, batch_norm):
        super().__init__()
        layers, before = [], 3
        for i, channels in enumerate(narrow_vgg.CHANNELS):
            layers += [nn.Conv2d(before, channels, 3, padding=1)]
            layers += [nn.BatchNorm2d(channels)] if batch_norm else []
            layers += [nn.ReLU(inplace=True)]
            layers += [nn.MaxPool2d(2, 2)] if i in narrow_vgg.POOL_AFTER else []
            before = channels
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        a, b = narrow_vgg.HIDDEN
        self.classifier = nn.Sequential(nn.Linear(before * 49, a), nn.ReLU(True), nn.Dropout(), nn.Linear(a, b),
                                        nn.ReLU(True), nn.Dropout(), nn.Linear(b, narrow_vgg.CLASSES))

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def network(batch_norm):
    net = Vgg(batch_norm)
    state = {name: torch.from_numpy(value.copy()) for name, value in narrow_vgg.weights(batch_norm).items()}
    net.load_state_dict(state, strict=False)
    return net.eval()


def logits_of(net):
    with torch.no_grad():
        return net(torch.from_numpy(narrow_vgg.picture())).numpy()


def compare(name, who, mine, theirs):
    worst = numpy.abs(mine.reshape(-1) - theirs.reshape(-1)).max() / numpy.abs(mine).max()
    print(f"{name}: {who} differs by {worst:.1e}")
    if worst > TOLERANCE:
        sys.exit(f"{name}: {who} disagrees")


def in_onnxruntime(path, logits):
    import onnxruntime
    session = onnxruntime.InferenceSession(path)
    entry = session.get_inputs()[0]
    compare(path, "onnxruntime", logits, session.run(None, {entry.name: narrow_vgg.picture()})[0])


def in_opencv(path, logits):
    import cv2
    try:
        net = cv2.dnn.readNetFromONNX(path)
    except cv2.error as why:
        print(f"{path}: OpenCV cannot read it: {str(why).strip().splitlines()[0]}")
        return
    net.setInput(narrow_vgg.picture())
    compare(path, "OpenCV", logits, net.forward())


def second_opinion(path, logits):
    for run in (in_onnxruntime, in_opencv):
        try:
            run(path, logits)
        except ImportError:
            pass


def make_old(out):
    golden = Golden(os.path.join(out, "onnx_old.txt"), f"torch {torch.__version__}")
    x = torch.from_numpy(narrow_vgg.picture())
    for batch_norm, open_, name, arch in ((False, False, "old", "vgg11"), (True, False, "old_bn_folded", "vgg11"),
                                          (True, True, "old_bn", "vgg11_bn")):
        net, path = network(batch_norm), os.path.join(out, f"torch_{name}.onnx")
        kind = torch.onnx.TrainingMode.TRAINING if open_ else torch.onnx.TrainingMode.EVAL
        logits = logits_of(net)
        if open_:
            kind = torch.onnx.TrainingMode.PRESERVE
        torch.onnx.export(net, x, path, training=kind, do_constant_folding=not open_)
        golden.model(f"torch_{name}.onnx", "ONNX", "onnx", arch, "logits", logits)
        second_opinion(path, logits)
    golden.close()


def rewrite(model, change):
    """The same model with every initializer through `change` (None: it becomes a Constant node)."""
    import onnx
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    constants = []
    for tensor in list(copy.graph.initializer):
        new = change(tensor)
        if new is None:
            constants.append(onnx.helper.make_node("Constant", [], [tensor.name], value=tensor))
            copy.graph.initializer.remove(tensor)
        else:
            tensor.CopyFrom(new)
    for node in reversed(constants):
        copy.graph.node.insert(0, node)
    return copy


def mxnet_like(weights):
    """The operators, names and attributes of vgg*-7.onnx, which MXNet's exporter wrote."""
    import onnx
    from onnx import helper, numpy_helper, TensorProto
    nodes, tensors, x = [], [], "data"

    def put(name, values):
        tensors.append(numpy_helper.from_array(numpy.ascontiguousarray(values), name))
        return name

    convs = [name[:-7] for name in weights if name.startswith("features") and weights[name].ndim == 4]
    for i, name in enumerate(convs):
        inputs = [x, put(f"vgg0_conv{i}_weight", weights[name + ".weight"]),
                  put(f"vgg0_conv{i}_bias", weights[name + ".bias"])]
        nodes.append(helper.make_node("Conv", inputs, [f"vgg0_conv{i}_fwd"], dilations=[1, 1], group=1,
                                      kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1]))
        nodes.append(helper.make_node("Relu", [f"vgg0_conv{i}_fwd"], [f"vgg0_relu{i}_fwd"]))
        x = f"vgg0_relu{i}_fwd"
        if i in narrow_vgg.POOL_AFTER:
            nodes.append(helper.make_node("MaxPool", [x], [f"vgg0_pool{i}_fwd"], kernel_shape=[2, 2],
                                          pads=[0, 0, 0, 0], strides=[2, 2]))
            x = f"vgg0_pool{i}_fwd"
    for i, number in enumerate((0, 3, 6)):
        nodes.append(helper.make_node("Flatten", [x], [f"flatten_{i}"]))
        inputs = [f"flatten_{i}", put(f"vgg0_dense{i}_weight", weights[f"classifier.{number}.weight"]),
                  put(f"vgg0_dense{i}_bias", weights[f"classifier.{number}.bias"])]
        nodes.append(helper.make_node("Gemm", inputs, [f"vgg0_dense{i}_fwd"], alpha=1.0, beta=1.0, transA=0, transB=1))
        x = f"vgg0_dense{i}_fwd"
        if i < 2:
            nodes.append(helper.make_node("Relu", [x], [f"vgg0_dense{i}_relu"]))
            nodes.append(helper.make_node("Dropout", [f"vgg0_dense{i}_relu"], [f"vgg0_dropout{i}_fwd"], ratio=0.5))
            x = f"vgg0_dropout{i}_fwd"
    inputs = [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, 224, 224])]
    inputs += [helper.make_tensor_value_info(t.name, t.data_type, list(t.dims)) for t in tensors]
    outputs = [helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, narrow_vgg.CLASSES])]
    graph = helper.make_graph(nodes, "mxnet_converted_model", inputs, outputs, tensors)
    return helper.make_model(graph, ir_version=3, opset_imports=[helper.make_opsetid("", 7)])


def drop_traces(path):
    """The dynamo exporter writes down where on this machine each operator came from, in half of a small file's bytes."""
    import onnx
    model = onnx.load(path)
    for node in model.graph.node:
        for prop in [p for p in node.metadata_props if "stack_trace" in p.key]:
            node.metadata_props.remove(prop)
    onnx.save_model(model, path)


def make_now(out):
    import onnx
    from onnx import numpy_helper
    from importlib.metadata import version
    from safetensors.torch import save_file

    golden = Golden(os.path.join(out, "onnx_now.txt"),
                    f"torch {torch.__version__}, onnx {onnx.__version__}, onnxscript {version('onnxscript')}, "
                    f"onnxruntime {version('onnxruntime')}, safetensors {version('safetensors')}")
    x = torch.from_numpy(narrow_vgg.picture())
    plain = logits_of(network(False))

    def save(model, name, arch, logits, family="onnx", **how):
        path = os.path.join(out, name)
        if model is not None:
            onnx.save_model(model, path, **how)
        golden.model(name, "ONNX", family, arch, "logits", logits)
        second_opinion(path, logits)

    for batch_norm in (False, True):
        net, suffix = network(batch_norm), "_bn" if batch_norm else ""
        logits = logits_of(net)
        torch.onnx.export(net, (x,), os.path.join(out, f"torch_script{suffix}.onnx"), dynamo=False)
        torch.onnx.export(net, (x,), os.path.join(out, f"torch_dynamo{suffix}.onnx"), dynamo=True, external_data=False)
        drop_traces(os.path.join(out, f"torch_dynamo{suffix}.onnx"))
        for way in ("script", "dynamo"):
            model = onnx.load(os.path.join(out, f"torch_{way}{suffix}.onnx"))
            kept = any(node.op_type == "BatchNormalization" for node in model.graph.node)
            save(None, f"torch_{way}{suffix}.onnx", "vgg11_bn" if kept else "vgg11", logits)

    model = onnx.load(os.path.join(out, "torch_script.onnx"))

    def as_floats(tensor):
        if tensor.data_type != onnx.TensorProto.FLOAT:
            return tensor
        values = numpy_helper.to_array(tensor)
        return onnx.helper.make_tensor(tensor.name, tensor.data_type, values.shape, values.flatten().tolist())

    def as_double(tensor):
        values = numpy_helper.to_array(tensor).astype("float64")
        return onnx.helper.make_tensor(tensor.name, onnx.TensorProto.DOUBLE, values.shape, values.flatten().tolist())

    def as_half(tensor):
        values = numpy_helper.to_array(tensor).astype("float16")
        return onnx.helper.make_tensor(tensor.name, onnx.TensorProto.FLOAT16, values.shape, values.flatten().tolist())

    save(rewrite(model, as_floats), "fields_float.onnx", "vgg11", plain)
    save(rewrite(model, lambda t: None), "constants.onnx", "vgg11", plain)
    onnx.save_model(rewrite(model, as_double), os.path.join(out, "fields_double.onnx"))
    golden.model("fields_double.onnx", "ONNX", "onnx", "vgg11", "logits", plain)
    half = network(False)
    with torch.no_grad():
        for parameter in half.parameters():
            parameter.copy_(parameter.half().float())
    onnx.save_model(rewrite(model, as_half), os.path.join(out, "fields_half.onnx"))
    golden.model("fields_half.onnx", "ONNX", "onnx", "vgg11", "logits", logits_of(half))

    save(mxnet_like(narrow_vgg.weights(False)), "mxnet.onnx", "vgg11", plain, family="mxnet")

    os.makedirs(os.path.join(out, "external"), exist_ok=True)
    target = os.path.join(out, "external", "model.onnx")
    for old in (target, target + ".data"):
        if os.path.exists(old):
            os.remove(old)
    onnx.save_model(rewrite(model, lambda t: t), target, save_as_external_data=True, all_tensors_to_one_file=True,
                    location="model.onnx.data", size_threshold=0)
    golden.model("external", "ONNX", "onnx", "vgg11", "logits", plain)
    second_opinion(target, plain)

    state = {name: torch.from_numpy(value) for name, value in narrow_vgg.weights(True).items()}
    shard = os.path.join(out, "sharded")
    os.makedirs(shard, exist_ok=True)
    names, cut = list(state), 40
    files = [f"model-0000{i + 1}-of-00002.safetensors" for i in range(2)]
    for i, part in enumerate((names[:cut], names[cut:])):
        save_file({name: state[name] for name in part}, os.path.join(shard, files[i]), metadata={"format": "pt"})
    import json
    total = sum(4 * value.numel() for value in state.values())
    with open(os.path.join(shard, "model.safetensors.index.json"), "w") as file:
        json.dump({"metadata": {"total_size": total},
                   "weight_map": {name: files[i >= cut] for i, name in enumerate(names)}}, file, indent=2, sort_keys=True)
        file.write("\n")
    golden.model("sharded", "safetensors", "torch", "vgg11_bn", "unknown", logits_of(network(True)))
    golden.close()


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("now", "old"):
        sys.exit(__doc__)
    os.makedirs(sys.argv[2], exist_ok=True)
    torch.manual_seed(0)
    (make_now if sys.argv[1] == "now" else make_old)(sys.argv[2])
