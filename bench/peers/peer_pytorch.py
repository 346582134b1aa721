"""PyTorch, at its best without a compiler on the machine: weights mapped, no random initialisation, oneDNN's blocked layouts
where they are faster (TorchScript's freeze and optimize_for_inference); the fastest of those is kept for warm runs."""
import peer_protocol  # first: it takes the time

import os
import time
import warnings

import torch
from torch import nn

from peer_models import Vgg

warnings.simplefilter("ignore")


def eager(options):
    with torch.device("meta"):
        model = Vgg(options.arch, options.classes, nn.AdaptiveAvgPool2d(7))
    state = torch.load(os.path.join(options.dir, "weights.pth"), mmap=True, weights_only=True)
    model.load_state_dict(state, assign=True)
    return model.eval()


def frozen(model, x):
    return torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, x)))


def seconds(model, x):
    model(x)
    model(x)
    start = time.perf_counter()
    model(x)
    return time.perf_counter() - start


def load(options):
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    model = eager(options)
    if options.image:
        return lambda x: model(torch.from_numpy(x)).numpy()
    x = torch.zeros(options.batch, 3, options.height, options.height)
    kinds = [(model, torch.contiguous_format)]
    for make in (lambda: (frozen(model, x), torch.contiguous_format),
                 lambda: (eager(options).to(memory_format=torch.channels_last), torch.channels_last)):
        try:
            kinds.append(make())
        except Exception as problem:  # a kind that this release no longer has
            print(f"PyTorch: left out: {problem}")
    best, layout = min(kinds, key=lambda kind: seconds(kind[0], x.contiguous(memory_format=kind[1])))
    del kinds
    return lambda x: best(torch.from_numpy(x).contiguous(memory_format=layout)).numpy()


peer_protocol.main(load, torch.__version__)
