#!/usr/bin/python3
"""Write the small weight files in tests/formats/data/ and what they hold.

    make_format_goldens.py torch OUT        with Debian's python3-torch (1.13)
    make_format_goldens.py torch_now OUT    with a current PyTorch (2.15 wrote those that are there)
    make_format_goldens.py modules OUT      with Debian's python3-torch and python3-torchvision; whole modules
    make_format_goldens.py modules_now OUT  the same with a current PyTorch
    make_format_goldens.py safetensors OUT  with a Python that has safetensors and numpy

Each part writes its files and <part>.txt, which the tests read:

    # versions
    file NAME | KIND
    tensor NAME DTYPE SHAPE: every element in row-major order, as a double
    refuse NAME | text that the message must hold

A legacy file's storage keys are memory addresses, so that running this again gives other bytes with the same
meaning. The files py2_*.pth and v3_*.pth imitate what PyTorch 0.3 under Python 2 and PyTorch 2.1 write, opcode by
opcode; the former are loaded back with the PyTorch at hand before they count. torch_now has the genuine successors
of the latter.
"""
import io
import os
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict


class Golden:
    def __init__(self, out, part, versions):
        self.out, self.part = out, part
        self.lines = [f"# {versions}"]

    def path(self, name):
        return os.path.join(self.out, name)

    def file(self, name, kind, tensors):
        self.lines.append(f"file {name} | {kind}")
        for key, (dtype, shape, values) in tensors.items():
            shape = ",".join(str(n) for n in shape)
            self.lines.append(f"tensor {key} {dtype} [{shape}]:" + "".join(f" {float(v)!r}" for v in values))

    def refuse(self, name, text):
        self.lines.append(f"refuse {name} | {text}")

    def close(self):
        with open(self.path(self.part + ".txt"), "w") as file:
            file.write("\n".join(self.lines) + "\n")


# ---- PyTorch ----

def dtype_texts(torch):
    return {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16",
            torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8",
            torch.bool: "BOOL"}


def told_of(torch, state):
    texts = dtype_texts(torch)
    return {name: (texts[t.dtype], t.shape, t.detach().double().flatten().tolist()) for name, t in state.items()}


def views_of(torch):
    base = torch.arange(20, dtype=torch.float32).reshape(4, 5)
    return {"base": base, "t": base.t(), "part": base[1:, 2:4], "row": base[2], "step": base[:, ::2],
            "spread": torch.tensor([1.5]).expand(2, 3), "tied": base, "one": torch.tensor(7.25),
            "none": torch.zeros(0, 3)}


def all_dtypes(torch):
    dtypes = {text: torch.tensor([[0, 1, 2], [100, 3, 1]], dtype=dtype)
              for dtype, text in dtype_texts(torch).items()}
    dtypes["F16"] = torch.tensor([0.1, -65504.0, 6e-8, float("inf")], dtype=torch.float16)
    dtypes["BF16"] = torch.tensor([0.1, -3e38, 1e-40, 1.0], dtype=torch.bfloat16)
    return dtypes


def make_torch(out):
    import torch
    from torch import nn

    golden = Golden(out, "torch", f"torch {torch.__version__}, Python {sys.version.split()[0]}")
    torch.manual_seed(20)

    def told(state):
        return told_of(torch, state)

    def save(name, thing, state, **how):
        torch.save(thing, golden.path(name), **how)
        legacy = how.get("_use_new_zipfile_serialization") is False
        golden.file(name, "PyTorch legacy stream" if legacy else "PyTorch zip", told(state))

    def both(name, thing, state, **how):
        save(f"zip_{name}.pth", thing, state, **how)
        save(f"legacy_{name}.pth", thing, state, _use_new_zipfile_serialization=False, **how)

    net = nn.Sequential(OrderedDict(conv=nn.Conv2d(2, 3, (1, 2)), norm=nn.BatchNorm2d(3), line=nn.Linear(5, 2)))
    state = net.state_dict()
    both("plain", state, state)
    for protocol in (3, 4):
        both(f"protocol{protocol}", state, state, pickle_protocol=protocol)

    views = views_of(torch)
    base = views["base"]
    both("views", views, views)

    last = {"conv.weight": torch.randn(4, 3, 2, 5).to(memory_format=torch.channels_last)}
    both("channels_last", last, last)

    dtypes = all_dtypes(torch)
    both("dtypes", dtypes, dtypes)

    parallel = nn.DataParallel(nn.Linear(3, 2)).state_dict()
    both("parallel", parallel, parallel)

    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    (net.line(torch.ones(1, 5)).sum() + net.conv(torch.ones(1, 2, 2, 2)).sum()).backward()
    optimizer.step()
    state = net.state_dict()
    both("checkpoint", {"epoch": 3, "best": 0.875, "arch": "vgg11", "state_dict": state, "lr": [0.1, 0.01],
                        "optimizer": optimizer.state_dict(), "seen": 1 << 70, "size": torch.Size([2, 3])}, state)
    both("parameters", dict(net.named_parameters()), dict(net.named_parameters()))
    both("wrapped", {"model": {"state_dict": state}, "epoch": 1}, state)
    both("nested", {"a": [base[0], {"b": (base[1], base[2])}], "c": {5: base[3]}},
         {"a.0": base[0], "a.1.b.0": base[1], "a.1.b.1": base[2], "c.5": base[3]})
    both("lone", base, {"tensor": base})

    many = OrderedDict((f"layer{i}.weight", torch.tensor([float(i)])) for i in range(300))
    save("legacy_many.pth", many, many, _use_new_zipfile_serialization=False)  # LONG_BINPUT, keys out of order

    py2(golden, torch, told)
    version3(golden)

    torch.jit.script(nn.Linear(2, 2)).save(golden.path("torchscript.pt"))
    golden.refuse("torchscript.pt", "TorchScript")
    torch.serialization.get_source_lines_and_file = lambda cls: (["class Source:\n"], 1, "source.py")
    for name, how in (("module.pth", {}), ("legacy_module.pth", {"_use_new_zipfile_serialization": False})):
        module = nn.Linear(2, 2)
        save(name, module, module.state_dict(), **how)
    torch.save({"epoch": 1, "lr": 0.5}, golden.path("no_tensors.pth"))
    golden.refuse("no_tensors.pth", "holds no tensors, only a dict")
    torch.save({"x": torch.zeros(2, dtype=torch.complex64)}, golden.path("complex.pth"))
    golden.refuse("complex.pth", "of a kind that this version does not read (torch.ComplexFloatStorage)")
    deflate(golden)
    golden.close()


def make_torch_now(out):
    """What newer PyTorch does otherwise: .format_version, .storage_alignment, byteorder, serialization_id, other dtypes."""
    import torch
    from torch import nn

    golden = Golden(out, "torch_now", f"torch {torch.__version__}, Python {sys.version.split()[0]}")
    torch.manual_seed(20)

    def save(name, thing, state=None, **how):
        torch.save(thing, golden.path(name), **how)
        legacy = how.get("_use_new_zipfile_serialization") is False
        golden.file(name, "PyTorch legacy stream" if legacy else "PyTorch zip", told_of(torch, state or thing))

    net = nn.Sequential(OrderedDict(conv=nn.Conv2d(2, 3, (1, 2)), norm=nn.BatchNorm2d(3), line=nn.Linear(5, 2)))
    optimizer = torch.optim.AdamW(net.parameters())
    (net.line(torch.ones(1, 5)).sum() + net.conv(torch.ones(1, 2, 2, 2)).sum()).backward()
    optimizer.step()
    state = net.state_dict()
    save("now_checkpoint.pth", {"epoch": 3, "model": state, "optimizer": optimizer.state_dict()}, state)
    save("now_legacy.pth", state, _use_new_zipfile_serialization=False)
    save("now_protocol5.pth", state, pickle_protocol=5)
    save("now_views.pth", views_of(torch))
    save("now_dtypes.pth", all_dtypes(torch))
    save("now_parameters.pth", dict(net.named_parameters()))
    last = {"conv.weight": torch.randn(4, 3, 2, 5).to(memory_format=torch.channels_last)}
    save("now_channels_last.pth", last)
    with torch.utils.serialization.config.patch("save.storage_alignment", 256):
        save("now_aligned.pth", {"a": torch.ones(3), "b": torch.tensor([2.5])})
    for dtype in ("uint16", "float8_e4m3fn"):
        torch.save({"x": torch.zeros(2).to(getattr(torch, dtype))}, golden.path(f"now_{dtype}.pth"))
        golden.refuse(f"now_{dtype}.pth", f"of a kind that this version does not read (torch.{dtype})")
    golden.close()


def deflate(golden):
    """The plain file, packed again by a zip tool that compresses."""
    with zipfile.ZipFile(golden.path("zip_plain.pth")) as old, \
            zipfile.ZipFile(golden.path("deflated.pth"), "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(zipfile.ZipInfo(info.filename), old.read(info), zipfile.ZIP_DEFLATED)
    at = next(i for i, line in enumerate(golden.lines) if line.startswith("file zip_plain.pth"))
    golden.lines.append("file deflated.pth | PyTorch zip")
    for line in golden.lines[at + 1:]:
        if not line.startswith("tensor "):
            break
        golden.lines.append(line)


def text(value):
    return b"U" + bytes([len(value)]) + value.encode()  # SHORT_BINSTRING: Python 2


def integer(n):
    return b"K" + bytes([n]) if n < 256 else b"J" + struct.pack("<i", n)


def storage(kind, key, numel, view, place="cpu"):
    middle = text("storage") + b"c" + kind.encode() + b"\n" + text(key) + text(place) + integer(numel)
    return b"(" + middle + (view if view is not None else b"N") + b"tQ"


def tensor(store, offset, size, stride):
    """torch 0.3: _rebuild_tensor(storage, offset, size, stride)."""
    return (b"ctorch._utils\n_rebuild_tensor\n(" + store + integer(offset) + b"(" + b"".join(map(integer, size)) +
            b"t(" + b"".join(map(integer, stride)) + b"ttR")


def py2(golden, torch, told):
    start = pickle.dumps(0x1950a86a20f9469cfc6c, 2) + pickle.dumps(1001, 2)
    system = (b"\x80\x02}(" + text("protocol_version") + b"M\xe9\x03" + text("little_endian") + b"\x88" +
              text("type_sizes") + b"}(" + text("short") + b"K\x02" + text("int") + b"K\x04" + text("long") +
              b"K\x08uu.")
    view = b"(" + text("9001") + integer(4) + integer(6) + b"t"
    pairs = [("whole", tensor(storage("torch.cuda\nFloatStorage", "100", 12, None, "cuda:0"), 0, [3, 4], [4, 1])),
             ("part", tensor(storage("torch.cuda\nFloatStorage", "100", 12, view, "cuda:0"), 1, [2, 2], [3, 1])),
             ("ints", tensor(storage("torch\nLongStorage", "99", 2, None), 0, [2], [1]))]
    # Python 2's OrderedDict: a list of lists
    state = b"\x80\x02ccollections\nOrderedDict\n]("
    state += b"".join(b"](" + text(name) + code + b"e" for name, code in pairs) + b"e\x85R."
    keys = b"\x80\x02](" + text("100") + text("99") + b"e."
    data = struct.pack("<q12f", 12, *[i / 4 for i in range(12)]) + struct.pack("<q2q", 2, -7, 1 << 40)
    path = golden.path("py2_views.pth")
    with open(path, "wb") as file:
        file.write(start + system + state + keys + data)
    golden.file("py2_views.pth", "PyTorch legacy stream", told(torch.load(path, map_location="cpu")))


def version3(golden):
    """PyTorch 2.1 and newer: byteorder, .format_version, _rebuild_tensor_v3 over an UntypedStorage."""
    store = (b"(X\x07\0\0\0storagectorch.storage\nUntypedStorage\nX\x01\0\0\0" + b"0X\x03\0\0\0cpuK\x18tQ")
    rebuilt = (b"ctorch._utils\n_rebuild_tensor_v3\n(" + store + b"K\x01K\x02K\x02\x86K\x02K\x01\x86\x89"
               b"ccollections\nOrderedDict\n)Rctorch\nfloat32\ntR")
    code = b"\x80\x02}X\x01\0\0\0w" + rebuilt + b"s."
    members = [("data.pkl", code), (".format_version", b"1"), (".storage_alignment", b"64"), ("byteorder", b"little"),
               ("data/0", struct.pack("<6f", *range(6))), ("version", b"3\n"), (".data/serialization_id", b"1" * 40)]
    for name, order in (("v3_untyped.pth", b"little"), ("v3_big.pth", b"big")):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for member, data in members:
                archive.writestr(zipfile.ZipInfo("archive/" + member), order if member == "byteorder" else data)
        with open(golden.path(name), "wb") as file:
            file.write(buffer.getvalue())
    golden.file("v3_untyped.pth", "PyTorch zip", {"w": ("F32", [2, 2], [1.0, 2.0, 3.0, 4.0])})
    golden.refuse("v3_big.pth", "byte order 'big', only 'little' is read")


# ---- safetensors ----

class Runs:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch /tmp/cistern-was-run",)


class Note:
    """An object of a class that nobody else has, whose state holds a tensor that is no parameter."""

    def __init__(self, tensor):
        self.tensor = tensor

    def __setstate__(self, state):
        raise AssertionError("its code was run")


def make_modules(out, part="modules"):
    import torch
    from torch import nn

    golden = Golden(out, part, f"torch {torch.__version__}, Python {sys.version.split()[0]}")
    torch.manual_seed(21)
    prefix = "now_" if part == "modules_now" else ""
    kinds = (("zip", {}), ("legacy", {"_use_new_zipfile_serialization": False}))
    # The legacy kind carries the source of each class: a short one does.
    torch.serialization.get_source_lines_and_file = lambda cls: (["class Source:\n"], 1, "source.py")

    def save(name, thing, net):
        for kind, how in kinds[:1] if prefix else kinds:
            file = f"{prefix}{kind}_module_{name}.pth"
            torch.save(thing, golden.path(file), **how)
            if net is None:
                golden.refuse(file, 'holds code: the pickle asks for "posix.system", which is not allowed; nothing was run')
            else:
                golden.file(file, "PyTorch legacy stream" if kind == "legacy" else "PyTorch zip",
                            told_of(torch, net.state_dict()))

    def make():
        return nn.Sequential(OrderedDict(
            features=nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(True), nn.MaxPool2d(2)),
            pool=nn.AdaptiveAvgPool2d((1, 1)), drop=nn.Dropout(0.5),
            classifier=nn.Sequential(nn.Linear(2, 3, bias=False), nn.Linear(3, 2))))

    net = make()
    save("whole", net, net)
    parallel = nn.DataParallel(make())
    save("parallel", parallel, parallel)
    save("checkpoint", {"epoch": 2, "model": net, "optimizer": torch.optim.SGD(net.parameters(), lr=0.1).state_dict()}, net)
    net = make()
    net.note = Note(torch.ones(3))
    net.function = torch.nn.functional.relu
    net.features[0].kind = Note
    save("inert", net, net)
    net = make()
    net.hook = Runs()
    save("code", net, None)
    if not prefix:
        net = small_vgg(nn)
        save("vgg", net, net)
    golden.close()


def small_vgg(nn):
    """torchvision's own class, narrow."""
    from torchvision.models.vgg import VGG

    class Narrow(VGG):
        def __init__(self):
            nn.Module.__init__(self)

    net = Narrow()
    net.__class__ = VGG
    net.features = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(2, 2))
    net.avgpool = nn.AdaptiveAvgPool2d((7, 7))
    net.classifier = nn.Sequential(nn.Linear(2 * 7 * 7, 2), nn.ReLU(True), nn.Dropout(), nn.Linear(2, 3))
    return net


def make_modules_now(out):
    make_modules(out, "modules_now")


def make_safetensors(out):
    from importlib.metadata import version

    import numpy
    from safetensors import TensorSpec, serialize
    from safetensors.numpy import save_file

    golden = Golden(out, "safetensors", f"safetensors {version('safetensors')}, numpy {numpy.__version__}, "
                                        f"Python {sys.version.split()[0]}")
    rng = numpy.random.default_rng(20)
    texts = {"float32": "F32", "float64": "F64", "float16": "F16", "int64": "I64", "int32": "I32", "int16": "I16",
             "int8": "I8", "uint8": "U8", "bool": "BOOL"}

    def told(tensors):
        return {name: (texts[str(t.dtype)], t.shape, t.astype("float64").flatten().tolist())
                for name, t in tensors.items()}

    def save(name, tensors, metadata=None):
        save_file(tensors, golden.path(name), metadata=metadata)
        golden.file(name, "safetensors", told(tensors))

    plain = {"features.0.weight": rng.normal(size=(3, 2, 1, 2)).astype("float32"),
             "features.0.bias": rng.normal(size=3).astype("float32"),
             "steps": numpy.array(7, dtype="int64"), "none": numpy.zeros((0, 4), dtype="float32")}
    save("plain.safetensors", plain, {"format": "pt"})
    save("dtypes.safetensors", {text: numpy.array([[0, 1, 2], [100, 3, 1]]).astype(name)
                                for name, text in texts.items()})
    save("names.safetensors", {'a "quoted" \\ name': plain["features.0.bias"], "größe/重み\U0001f600": plain["steps"]},
         {"made by": 'a "test"\n'})

    words = [0x3DCD, 0xFF7F, 0x0001, 0x3F80]
    data = numpy.array(words, dtype="uint16")
    with open(golden.path("bf16.safetensors"), "wb") as file:
        file.write(serialize({"w": TensorSpec(dtype="bfloat16", shape=[2, 2], data_ptr=data.ctypes.data,
                                              data_len=data.nbytes)}, None))
    golden.file("bf16.safetensors", "safetensors",
                {"w": ("BF16", [2, 2], [struct.unpack("<f", struct.pack("<I", w << 16))[0] for w in words])})
    save_file({"w": numpy.zeros(2, dtype="uint32")}, golden.path("u32.safetensors"))
    golden.refuse("u32.safetensors", "tensor 'w' has dtype 'U32', which this version does not read")
    golden.close()


PARTS = {"torch": make_torch, "torch_now": make_torch_now, "modules": make_modules,
         "modules_now": make_modules_now, "safetensors": make_safetensors}

if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in PARTS:
        sys.exit(__doc__)
    os.makedirs(sys.argv[2], exist_ok=True)
    PARTS[sys.argv[1]](sys.argv[2])
