"""ncnn, every optimisation it has by default; --half keeps its default of fp16 storage, else fp32 throughout.
It has no batches: images are run one after the other."""
import peer_protocol  # first: it takes the time

import os
import subprocess
import sysconfig

import ncnn
import numpy


def convert(options):
    tool = os.path.join(sysconfig.get_path("purelib"), "pnnx", "pnnx")
    side = options.height
    subprocess.run([tool, "traced.pt", f"inputshape=[1,3,{side},{side}]", "fp16=0", "ncnnparam=model.param",
                    "ncnnbin=model.bin", "pnnxparam=/dev/null", "pnnxbin=/dev/null", "pnnxpy=/dev/null",
                    "pnnxonnx=/dev/null", "ncnnpy=/dev/null"], cwd=options.dir, check=True)


def load(options):
    net = ncnn.Net()
    net.opt.num_threads = options.threads
    net.opt.use_fp16_storage = net.opt.use_fp16_packed = net.opt.use_fp16_arithmetic = options.half
    net.load_param(os.path.join(options.dir, "model.param"))
    net.load_model(os.path.join(options.dir, "model.bin"))

    def run(x):
        rows = []
        for image in x:
            with net.create_extractor() as extractor:
                extractor.input("in0", ncnn.Mat(image))
                rows.append(numpy.array(extractor.extract("out0")[1]))
        return numpy.stack(rows)

    run.net = net
    return run


peer_protocol.main(load, ncnn.__version__, convert)
