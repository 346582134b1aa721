"""OpenVINO, CPU, latency hint; fp32 is asked for, because its own default is bf16 where the CPU has it. Model cache on."""
import peer_protocol  # first: it takes the time

import os

import openvino


def convert(options):
    model = openvino.convert_model(os.path.join(options.dir, "model.onnx"))
    openvino.save_model(model, os.path.join(options.dir, "openvino.xml"), compress_to_fp16=False)
    options.batch = 1
    load(options)  # fills the cache


def load(options):
    core = openvino.Core()
    core.set_property({"CACHE_DIR": os.path.join(options.dir, "openvino-cache")})
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": options.threads,
                "NUM_STREAMS": "1"}
    model = core.read_model(os.path.join(options.dir, "openvino.xml"))
    model.reshape([options.batch, 3, options.height, options.height])
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    return lambda x: request.infer([x], share_inputs=True, share_outputs=True)[0]


peer_protocol.main(load, openvino.__version__.split("-")[0], convert)
