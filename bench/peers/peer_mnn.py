"""MNN, CPU, precision high (fp32 throughout), its own choice of algorithm."""
import peer_protocol  # first: it takes the time

import os
import subprocess
import sys

import MNN
import numpy


def convert(options):
    tool = os.path.join(os.path.dirname(sys.executable), "mnnconvert")
    subprocess.run([tool, "-f", "ONNX", "--modelFile", "model.onnx", "--MNNModel", "model.mnn", "--bizCode", "x"],
                   cwd=options.dir, check=True)


def load(options):
    net = MNN.Interpreter(os.path.join(options.dir, "model.mnn"))
    session = net.createSession({"backend": "CPU", "numThread": options.threads, "precision": "high"})
    shape = (options.batch, 3, options.height, options.height)
    target = net.getSessionInput(session)
    net.resizeTensor(target, shape)
    net.resizeSession(session)

    def run(x):
        source = MNN.Tensor(shape, MNN.Halide_Type_Float, x, MNN.Tensor_DimensionType_Caffe)
        target.copyFrom(source)
        net.runSession(session)
        output = net.getSessionOutput(session)
        host = MNN.Tensor(output.getShape(), MNN.Halide_Type_Float, numpy.zeros(output.getShape(), numpy.float32),
                          MNN.Tensor_DimensionType_Caffe)
        output.copyToHostTensor(host)
        return numpy.array(host.getData(), numpy.float32).reshape(options.batch, -1)

    return run


peer_protocol.main(load, MNN.version(), convert)
