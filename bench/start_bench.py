#!/usr/bin/python3
"""How long a whole process takes, ours and the usual Python script's, interleaved in one run.

    bench/start_bench.py --program build/release/bin/cistern --model vgg16-<hex>.pth --image cat.jpg [--rounds 7]

Each round runs every row once; the table gives medians from before exec until the answer is complete on the pipe, and until
after exit, and the ratio of answers to the first row that is ours. The weight file is in the page cache (it is read once
before). Prints what bounds each row: bytes over the memory's rate measured here.
Rows of a peer that is not installed are left out, and said so. `--json FILE` keeps every sample.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TORCH_PYTHON = "/usr/bin/python3"  # the distribution's own, which has python3-torch


def run(command, env):
    """Milliseconds until the answer (the exit, where nothing is printed) and until the exit; the output."""
    output, answered = b"", 0.0
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=errors)
        while piece := os.read(process.stdout.fileno(), 1 << 20):
            output += piece
            answered = time.perf_counter() - start
        process.wait()
        ended = time.perf_counter() - start
        process.stdout.close()
        if process.returncode != 0:
            errors.seek(0)
            sys.exit(f"{' '.join(command)}: exit {process.returncode}: {errors.read().decode(errors='replace').strip()}")
    return (answered or ended) * 1000, ended * 1000, output


def memory_rate(path):
    """GB/s at which one process reads the file from the page cache: the floor of whatever touches all weights."""
    block = bytearray(1 << 20)
    best = 0.0
    for _ in range(3):
        start, total = time.perf_counter(), 0
        with open(path, "rb", buffering=0) as file:
            while count := file.readinto(block):
                total += count
        best = max(best, total / (time.perf_counter() - start) / 1e9)
    return best


def top_classes(name, output):
    if name.startswith("PyTorch"):
        return [int(line.split()[0]) for line in output.decode().splitlines()]
    return [row["class"] for row in json.loads(output)["results"][0]["top"]]


def rows_of(options, store, env):
    program = options.program
    reference = "bench"
    rows = [
        ("cistern classify REFERENCE", [program, "classify", reference, options.image, "--json"], True),
        ("cistern classify FILE (imports it first)", [program, "classify", options.model, options.image, "--json"], True),
        ("cistern pull, second time", [program, "pull", options.model, "--as", reference], False),
        ("cistern path", [program, "path", reference], False),
        ("cistern version", [program, "version"], False),
        ("an empty process (true)", [shutil.which("true")], False),
    ]
    probe = subprocess.run([TORCH_PYTHON, "-c", "import torch, torchvision"], stderr=subprocess.DEVNULL)
    if probe.returncode == 0:
        rows.insert(0, ("PyTorch: vgg16(), load_state_dict(torch.load), eval(), one image",
                        [TORCH_PYTHON, os.path.join(HERE, "peer_torch.py"), options.model, options.image], True))
    else:
        print("left out: PyTorch (install python3-torch and python3-torchvision)", file=sys.stderr)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        env = dict(os.environ, CISTERN_STORE=os.path.join(scratch, "store"), XDG_STATE_HOME=scratch, XDG_CONFIG_HOME=scratch)
        _, first, _ = run([options.program, "pull", options.model, "--as", "bench"], env)
        rate = memory_rate(options.model)
        rows = rows_of(options, scratch, env)
        samples, exits = {name: [] for name, _, _ in rows}, {name: [] for name, _, _ in rows}
        answers = {}
        for _ in range(options.rounds):
            for name, command, classifies in rows:
                took, ended, output = run(command, env)
                samples[name].append(took)
                exits[name].append(ended)
                if classifies:
                    answers[name] = top_classes(name, output)
        timings = subprocess.run([options.program, "classify", "bench", options.image, "--timings"], env=env,
                                 capture_output=True, text=True)
    if len({tuple(classes) for classes in answers.values()}) != 1:
        sys.exit(f"the programs do not agree on the top 5: {answers}")
    size = os.path.getsize(options.model)
    base = statistics.median(samples["cistern classify REFERENCE"])
    print(f"{size / 1e6:.0f} MB of weights in the page cache, read at {rate:.1f} GB/s by one thread "
          f"({size / rate / 1e6:.0f} ms a pass); {os.cpu_count()} CPUs; medians of {options.rounds} interleaved rounds; "
          f"same top 5 from all")
    print(f"first pull (copies, hashes, reads the index): {first:.0f} ms")
    print(f"{'answer ms':>9}  {'least':>8}  {'ratio':>6}  {'exit ms':>8}  what")
    for name, _, _ in rows:
        middle = statistics.median(samples[name])
        print(f"{middle:9.1f}  {min(samples[name]):8.1f}  {middle / base:6.2f}  {statistics.median(exits[name]):8.1f}  {name}")
    print((timings.stdout + timings.stderr).strip())
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"samples_ms": samples, "exits_ms": exits, "bytes": size, "rate_gb_s": rate, "first_pull_ms": first}, file, indent=1)


if __name__ == "__main__":
    main()
