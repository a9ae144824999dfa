"""The image encoder several ways: fast, readable, the official code's, in int8 and compiled, on the same numbers.

    python benchmarks/image_encoder.py sam2.1_hiera_tiny:1024 sam2.1_hiera_base_plus:1024 --profile
    python benchmarks/image_encoder.py nano:384 sam2.1_hiera_tiny:512 sam2.1_hiera_tiny:1024 --against int8
    python benchmarks/image_encoder.py sam2.1_hiera_tiny:512 --against inductor onnxruntime openvino

Trunk, neck and the skips of the mask decoder, which the official predictor makes with them. One image at a time, all
ways in turns; speed does not depend on the weights, which are random. Of two differences from the fast way the first is
the largest of all numbers, the second the root mean square of the embedding's, relative. ``--profile`` adds what the
fast way spends its time on. The readable encoder is what is compiled: ``inductor`` is torch.compile with frozen weights
and needs a C++ compiler, the other two run what torch.onnx.export makes of it (pip install onnx onnxscript onnxruntime
openvino). What compiling takes is said on standard error.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from masklet.baselines.official_sam2 import OfficialTracker
from masklet.evaluation.hardware import hardware
from masklet.model.config import CONFIGS, HieraConfig, with_image_size
from masklet.model.frame_encoder import FrameEncoder
from masklet.model.int8 import to_int8
from masklet.model.sam2 import Sam2, build
from masklet.structures import FrameFeatures

Way = Callable[[Tensor], list[Tensor]]
SHOWN = 8  # operations of a profile


def maps(encode: Callable[[Tensor], FrameFeatures]) -> Way:
    """The stride-16 map and the skips of strides 8 and 4, which every way gives."""

    def way(image: Tensor) -> list[Tensor]:
        features = encode(image)
        return [features.embedding, features.skip8, features.skip4]

    return way


def official(model: Sam2) -> Way:
    """The official code's."""
    predictor = OfficialTracker(model).predictor
    return lambda image: predictor.forward_image(image)["backbone_fpn"][::-1]


class Maps(nn.Module):
    """The readable encoder as a module of tensors."""

    def __init__(self, model: Sam2) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The maps of :func:`maps`."""
        features = self.model.encode_image(image)
        return features.embedding, features.skip8, features.skip4


def inductor(model: Sam2) -> Way:
    """torch.compile, which compiles at the first call."""
    import torch._inductor.config as settings

    settings.freezing = True
    call = torch.compile(Maps(model), fullgraph=True, dynamic=False)
    return lambda image: list(call(image))


def onnxruntime(model: Sam2) -> Way:
    """ONNX Runtime."""
    import onnxruntime  # pyright: ignore[reportMissingImports]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = exported(model, lambda path: onnxruntime.InferenceSession(path, options))
    return lambda image: [torch.from_numpy(one) for one in session.run(None, {"image": image.numpy()})]


def openvino(model: Sam2) -> Way:
    """OpenVINO, held to float32: it would take less where the processor has it."""
    import openvino  # pyright: ignore[reportMissingImports]

    settings = {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "INFERENCE_PRECISION_HINT": "f32"}
    call = exported(model, lambda path: openvino.Core().compile_model(path, "CPU", settings))
    return lambda image: [torch.from_numpy(one).clone() for one in call(image.numpy()).values()]


def exported(model: Sam2, read: Callable[[str], Any]) -> Any:
    """What another library makes of the encoder as an ONNX file."""
    with tempfile.TemporaryDirectory() as folder:
        path, size = Path(folder) / "encoder.onnx", model.config.image_size
        image = torch.zeros(1, 3, size, size)
        with torch.inference_mode(False), torch.no_grad():
            torch.onnx.export(Maps(model).eval(), (image,), path, input_names=["image"], dynamo=True, verbose=False)
        return read(str(path))


WAYS: dict[str, Callable[[Sam2], Way]] = {
    "readable": lambda model: maps(model.encode_image),
    "official": official,
    "int8": lambda model: maps(FrameEncoder(to_int8(copy.deepcopy(model)))),
    "inductor": inductor,
    "onnxruntime": onnxruntime,
    "openvino": openvino,
}


def measure(name: str, size: int, against: Sequence[str], repeats: int, clock: Callable[[], float]) -> FrameEncoder:
    """Print a row for each way."""
    torch.manual_seed(0)
    model = build(with_image_size(CONFIGS[name], size))
    encoder, image = FrameEncoder(model), torch.randn(1, 3, size, size)
    if not isinstance(model.config.trunk, HieraConfig):
        against = [way for way in against if way != "official"]  # knows nothing of it
    ways = {"fast": maps(encoder)}
    for way in against:
        began = clock()
        ways[way] = WAYS[way](model)
        ways[way](image)
        print(f"{way}: {clock() - began:.1f} s to its first answer", file=sys.stderr, flush=True)
    times: dict[str, list[float]] = {way: [] for way in ways}
    outputs: dict[str, list[Tensor]] = {}
    for _ in range(repeats + 1):
        for way, call in ways.items():
            began = clock()
            outputs[way] = call(image)
            times[way].append(clock() - began)
    fast = outputs["fast"]
    for way in against:
        ratios = [b / a for a, b in zip(times["fast"][1:], times[way][1:], strict=True)]
        apart = max(float((a - b).abs().max()) for a, b in zip(fast, outputs[way], strict=True))
        relative = float((fast[0] - outputs[way][0]).norm() / fast[0].norm())
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        usual = 1000 * statistics.median(times["fast"][1:])
        print(f"| {name} | {size} | {usual:.0f} | {way} | {spread} | {apart:.0e} | {relative:.1e} |", flush=True)
    return encoder


def profile(encoder: FrameEncoder, size: int) -> None:
    """Print shares of the time."""
    image = torch.randn(1, 3, size, size)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        encoder(image)
    found = sorted(profiler.key_averages(), key=lambda one: -one.self_cpu_time_total)
    total = sum(one.self_cpu_time_total for one in found)
    print(", ".join(f"{one.key} {100 * one.self_cpu_time_total / total:.0f} %" for one in found[:SHOWN]))


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="NAME:SIZE")
    parser.add_argument("--against", nargs="+", choices=tuple(WAYS), default=["readable", "official"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="one: processor time, else time on the clock")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    print(f"{hardware()}; factors: median (least to most)")
    print("| model | px | fast, ms | way | times as long | largest difference | relative |\n|" + "---|" * 7)
    with torch.inference_mode():
        for argument in options.models:
            name, size = argument.split(":")
            encoder = measure(name, int(size), options.against, options.repeats, clock)
            if options.profile:
                profile(encoder, int(size))


if __name__ == "__main__":
    main()
