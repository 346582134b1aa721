"""ONNX Runtime, CPU provider, every optimisation; a fresh process reads the model that was optimised and saved before."""
import peer_protocol  # first: it takes the time

import os

import onnxruntime


def settings(options, level):
    s = onnxruntime.SessionOptions()
    s.intra_op_num_threads = options.threads
    s.inter_op_num_threads = 1
    s.graph_optimization_level = level
    s.log_severity_level = 3
    return s


def convert(options):
    s = settings(options, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
    s.optimized_model_filepath = os.path.join(options.dir, "optimised.onnx")
    # Weights beside the model can be mapped; those inside it are parsed and copied.
    s.add_session_config_entry("session.optimized_model_external_initializers_file_name", "optimised.bin")
    s.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
    onnxruntime.InferenceSession(os.path.join(options.dir, "model.onnx"), s, providers=["CPUExecutionProvider"])


def load(options):
    path = os.path.join(options.dir, "optimised.onnx")
    level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if not options.image or not os.path.exists(path):
        path, level = os.path.join(options.dir, "model.onnx"), onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(path, settings(options, level), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0]


peer_protocol.main(load, onnxruntime.__version__, convert)
