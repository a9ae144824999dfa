"""A library in a process of its own, which runs passes when ``peers.py`` asks: a line of JSON in, one out.

    {"do": "run"} -> seconds    {"do": "end"} -> memory, multiply-adds; the answer goes to a file

A first line is written when the library is ready, or when it is missing.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

HELD = ("MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA")


def main() -> None:
    """Serve one row."""
    task, out = json.loads(sys.argv[1]), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    try:
        jobs = {"gemm": gemm, "machine": machine, "save": save, "startup": startup}
        serve(jobs.get(task["do"], row)(task), out)
    except ImportError as error:
        say(out, {"missing": str(error)})


def say(out: TextIO, value: dict[str, Any]) -> None:
    """One line of JSON."""
    out.write(json.dumps(value) + "\n")
    out.flush()


def serve(handlers: dict[str, Callable[[], dict[str, Any]]], out: TextIO) -> None:
    """Answer until the end is asked for."""
    say(out, {"ready": True})
    for line in sys.stdin:
        asked = json.loads(line)["do"]
        say(out, handlers[asked]())
        if asked == "end":
            return


def timed(call: Callable[[], Any]) -> dict[str, float]:
    """Seconds on the clock and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def row(task: dict[str, Any]) -> dict[str, Callable[[], dict[str, Any]]]:
    """A row of a library: see ``peer_work``."""
    import numpy as np
    import torch
    from peer_work import Row, frames_of, multiply_adds, work

    torch.set_num_threads(task["threads"])
    clip = None if task["clip"] is None else Path(task["clip"])
    job = work(task["peer"], Row.parse(task["row"]), random_model(task), frames_of(clip, task["frames"]))
    for _ in range(job.warm):
        job.run()
    fresh = reset_peak()

    def run() -> dict[str, float]:
        job.before()
        return timed(job.run)

    def end() -> dict[str, Any]:
        memory = {"peak": status("VmHWM"), "steady": status("VmRSS"), "peak_of_passes": fresh}
        np.savez(task["answer"], allow_pickle=False, **job.answer())
        job.before()
        return {**memory, "gflop": multiply_adds(job.sample or job.run) * job.share}

    return {"run": run, "end": end}


def gemm(task: dict[str, Any]) -> dict[str, Callable[[], dict[str, Any]]]:
    """The rate of matrix products into a kept output, in GFLOP a second of each clock: what the floor is made with."""
    import torch

    torch.set_num_threads(task["threads"])
    n = 1024
    a, b, c = torch.randn(n, n), torch.randn(n, n), torch.empty(n, n)

    def rate() -> dict[str, float]:
        passes = [timed(lambda: torch.mm(a, b, out=c)) for _ in range(20)]
        return {clock: 2 * n**3 / min(one[clock] for one in passes) / 1e9 for clock in passes[0]}

    return {"run": rate, "end": dict}


def machine(task: dict[str, Any]) -> dict[str, Callable[[], dict[str, Any]]]:
    """What it runs on, with the widest instructions that torch takes, and what holds the libraries under it to less."""
    import torch

    from masklet.evaluation.hardware import hardware

    torch.set_num_threads(task["threads"])
    held = [f"{name}={os.environ[name]}" for name in HELD if name in os.environ]
    said = ", ".join([str(hardware()), torch.backends.cpu.get_cpu_capability(), *held])
    return {"end": lambda: {"hardware": said}}


def save(task: dict[str, Any]) -> dict[str, Callable[[], dict[str, Any]]]:
    """Write the weights as a file of each library, for the start-up row."""
    import torch

    import masklet
    from masklet.checkpoints.convert import to_official

    folder, model = Path(task["weights"]), random_model(task)
    folder.mkdir(parents=True, exist_ok=True)
    masklet.save(model, folder / "masklet.safetensors")
    torch.save({"model": to_official(model.state_dict())}, folder / "sam2.pt")
    if "transformers" in task["peers"]:
        from masklet.baselines.transformers_sam2 import TransformersTracker

        TransformersTracker(model).model.save_pretrained(folder / "transformers")
    return {"end": dict}


def startup(task: dict[str, Any]) -> dict[str, Callable[[], dict[str, Any]]]:
    """Import a library and load the weights of a file, as its users do; the floor is torch and the file alone."""
    folder = Path(task["weights"])
    if task["peer"] == "floor":
        from safetensors.torch import load_file

        load_file(folder / "masklet.safetensors")
    elif task["peer"] == "masklet":
        import masklet

        masklet.load(folder / "masklet.safetensors", image_size=task["size"])
    elif task["peer"] == "transformers":
        from transformers import Sam2VideoModel

        Sam2VideoModel.from_pretrained(folder / "transformers").eval()
    else:
        from sam2.build_sam import build_sam2_video_predictor  # pyright: ignore[reportMissingImports]

        build_sam2_video_predictor(task["official"], str(folder / "sam2.pt"), device="cpu")
    seconds = time.process_time()
    memory = {"peak": status("VmHWM"), "steady": status("VmRSS"), "peak_of_passes": False}
    return {"end": lambda: {"cpu": seconds, **memory}}


def random_model(task: dict[str, Any]) -> Any:
    """The model with the weights that all libraries get."""
    import torch

    from masklet.model.config import CONFIGS, with_image_size
    from masklet.model.sam2 import build

    torch.manual_seed(0)
    return build(with_image_size(CONFIGS[task["model"]], task["size"]))


def reset_peak() -> bool:
    """Let the peak of this process count from now on; False where Linux does not allow it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def status(name: str) -> float:
    """Megabytes that Linux states of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name + ":"))


if __name__ == "__main__":
    main()
