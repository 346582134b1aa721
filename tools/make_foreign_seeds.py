#!/usr/bin/env python3
"""Fill tests/fuzz/corpus/ for the ONNX and TensorFlow readers from the golden files in tests/formats/foreign/, with their
tensors made small.

    make_foreign_seeds.py    with a Python that has onnx and TensorFlow
"""
import os
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy
import onnx
from onnx import numpy_helper
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework.tensor_util import MakeNdarray, make_tensor_proto

TOP = Path(__file__).resolve().parent.parent
FOREIGN = TOP / "tests/formats/foreign"
CORPUS = TOP / "tests/fuzz/corpus"


def put(target, name, data):
    path = CORPUS / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def small(array):
    """At most two of everything but a kernel's sides."""
    cut = tuple(slice(0, n if n == 3 else 2) for n in array.shape)
    return numpy.zeros_like(array[cut])


def shrink_onnx(path):
    model = onnx.load(str(path), load_external_data=False)
    for tensor in list(model.graph.initializer) + [a.t for n in model.graph.node for a in n.attribute if a.name == "value"]:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            for entry in tensor.external_data:
                entry.value = {"location": "m.data", "offset": "0"}.get(entry.key, entry.value)
            continue
        if len(tensor.dims) == 0 or tensor.data_type == onnx.TensorProto.INT64:
            continue
        raw, name = tensor.HasField("raw_data"), tensor.name
        array = small(numpy_helper.to_array(tensor))
        fresh = numpy_helper.from_array(array, name) if raw else \
            onnx.helper.make_tensor(name, tensor.data_type, array.shape, array.flatten().tolist())
        tensor.CopyFrom(fresh)
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del model.graph.value_info[:]
    return model.SerializeToString()


def shrink_graph(path):
    graph = graph_pb2.GraphDef()
    graph.ParseFromString(path.read_bytes())
    for node in graph.node:
        if node.op == "Const" and node.attr["value"].tensor.dtype == 1:
            tensor = node.attr["value"].tensor
            array, one_by_one = small(MakeNdarray(tensor)), len(tensor.float_val)
            tensor.CopyFrom(make_tensor_proto(array))
            if one_by_one:
                tensor.ClearField("tensor_content")
                tensor.float_val[:] = array.reshape(-1)[:2].tolist()  # the last stands for those that are missing
    return graph.SerializeToString()


def rows_of(table):
    """The first data block's entries: what lies before its restarts, up to the block that the index names."""
    def varint(at):
        value = shift = 0
        while True:
            value |= (table[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if table[at - 1] < 128:
                return value, at

    at = len(table) - 48
    for _ in range(2):
        _, at = varint(at)
    index, at = varint(at)
    at = index
    for _ in range(2):
        new, at = varint(at)
    _, at = varint(at)
    offset, at = varint(at + new)
    size, _ = varint(at)
    block = table[offset:offset + size]
    return block[:-4 - 4 * int.from_bytes(block[-4:], "little")]


def shrink_saved(path):
    """The functions that the signature and the restoring of variables need, and no objects."""
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString(path.read_bytes())
    meta = saved.meta_graphs[0]
    for field in ("object_graph_def", "meta_info_def", "collection_def"):
        meta.ClearField(field)
    meta.meta_info_def.tags.append("serve")
    nodes = {node.name: node for node in meta.graph_def.node}
    functions = {f.signature.name: f for f in meta.graph_def.library.function}
    result = next(iter(meta.signature_def["serving_default"].outputs.values())).name.split(":")[0]
    wanted = [nodes[name].attr["f"].func.name for name in (result, meta.saver_def.restore_op_name) if nodes[name].attr["f"].func.name]
    for name in wanted:
        wanted += [node.attr["f"].func.name for node in functions[name].node_def if node.attr["f"].func.name]
    for node in list(nodes.values()) + [node for name in wanted for node in functions[name].node_def]:
        for key in [key for key in node.attr if key.startswith("_") or key in ("shared_name", "config_proto", "Tin", "dtypes")]:
            del node.attr[key]
        if node.op == "Const" and len(node.attr["value"].tensor.tensor_content) > 64:
            node.attr["value"].tensor.CopyFrom(make_tensor_proto(small(MakeNdarray(node.attr["value"].tensor))))
    del meta.graph_def.library.function[:]
    for name in wanted:
        kept = meta.graph_def.library.function.add()
        kept.CopyFrom(functions[name])
        for field in ("attr", "arg_attr", "control_ret"):
            kept.ClearField(field)
    dropped = ("VarIsInitializedOp", "NoOp") + (("ReadVariableOp",) if wanted else ())
    for node in [n for n in meta.graph_def.node if n.op in dropped and "Initializer" not in n.name]:
        meta.graph_def.node.remove(node)
    return saved.SerializeToString()


if __name__ == "__main__":
    for name in ("torch_script", "torch_old_bn", "mxnet", "constants", "fields_float", "fields_half", "fields_double", "keras", "keras_bn", "external/model"):
        data = shrink_onnx(FOREIGN / f"{name}.onnx")
        put("formats_onnx", name.replace("/", "_"), data)
        if name in ("mxnet", "keras"):
            put("formats_protobuf", name, data)
    for name in ("tf_slim", "tf_slim_float_val", "tf_frozen", "tf_frozen_bn", "tf_frozen_keras2_bn"):
        put("formats_tensorflow", name + ".graph", b"\0" + shrink_graph(FOREIGN / f"{name}.pb"))
    for name in ("tf_slim", "tf_keras2", "tf_keras2_bn", "tf_saved", "tf_export_bn"):
        table = (FOREIGN / name / "variables/variables.index").read_bytes()
        put("formats_tensorflow", name + ".index", b"\1" + table)
        put("formats_tensorflow", name + ".rows", b"\2" + rows_of(table))
    for name in ("saved_saved", "saved_keras2", "saved_v1"):
        directory = TOP / "tests/formats/input" / name
        rows = rows_of((directory / "variables/variables.index").read_bytes())
        put("formats_tensorflow", name + ".saved", b"\3" + len(rows).to_bytes(2, "little") + rows +
            shrink_saved(directory / "saved_model.pb"))
    put("formats_shards", "good", b'{"metadata":{"total_size":2.0,"x":null},\n "weight_map":{"a":"a.safetensors","b":'
                                  b'"b.safetensors"}}\n')
    put("formats_shards", "escapes", b'{"metadata": {"a\\u00e9\\n\\ud83d\\ude00": "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "n": -1.5e3, '
                                     b'"t": true}, "weight_map": {"\\u0061": "a.safetensors", "b": "b.safetensors"}}')
    put("formats_shards", "path", b'{"weight_map":{"a":"../a.safetensors"}}')
    put("formats_shards", "other", b'{"weight_map":{"a":"b.safetensors"}}')
