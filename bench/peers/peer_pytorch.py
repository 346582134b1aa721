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


def seconds(make, x):
    """How long a run takes, and the model and layout; None: a kind that this release or this network does not have."""
    try:
        model, layout = make()
        x = x.contiguous(memory_format=layout)
        model(x)
        start = time.perf_counter()
        model(x)
        return time.perf_counter() - start, model, layout
    except Exception as problem:
        print(f"PyTorch: left out: {problem}")
        return None


def load(options):
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    model = eager(options)
    if options.image:
        return lambda x: model(torch.from_numpy(x)).numpy()
    x = torch.zeros(options.batch, 3, options.height, options.height)
    kinds = (lambda: (model, torch.contiguous_format), lambda: (frozen(model, x), torch.contiguous_format),
             lambda: (eager(options).to(memory_format=torch.channels_last), torch.channels_last))
    _, best, layout = min(filter(None, (seconds(make, x) for make in kinds)), key=lambda kind: kind[0])
    return lambda x: best(torch.from_numpy(x).contiguous(memory_format=layout)).numpy()


peer_protocol.main(load, torch.__version__)
