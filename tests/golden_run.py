"""Runs the reference protocol (shared/golden/README.md) on our model and measures each array against the official."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from golden_clip import clip, grid
from golden_weights import keys, state
from masklet.checkpoints.convert import from_official
from masklet.inference.image import ImagePredictor
from masklet.inference.options import SessionOptions
from masklet.inference.results import FrameResult
from masklet.inference.session import VideoSession
from masklet.model.config import CONFIGS, with_image_size
from masklet.model.sam2 import Sam2, build

SHARED = Path(os.environ.get("MASKLET_SHARED", Path(__file__).resolve().parents[1].parent / "shared"))
PRESENCE_BIAS = "sam_mask_decoder.pred_obj_score_head.layers.2.bias"
REFINED = ("video.prompt.click2", "video.prompt.box", "video.forward.t0", "video.correct", "state.obj0.t0.")
CLICKS = {
    "click1_multi": ([(150, 110)], [1], None, True),
    "click1_single": ([(150, 110)], [1], None, False),
    "click2": ([(150, 110), (340, 180)], [1, 0], None, False),
    "box": (None, None, (96, 60, 200, 160), False),
    "box_click": ([(340, 180)], [0], (96, 60, 200, 160), False),
}


def reference_files() -> list[Path]:
    """Reference arrays beside the checkout."""
    return sorted((SHARED / "golden").glob("*.npz"))


def tolerance(name: str, dtype: torch.dtype = torch.float32) -> float:
    """Largest absolute difference allowed, as the reference's README states it.

    Masks refined from earlier logits amplify rounding: in float32 the official code differs from itself as much when
    the number of threads changes. In float64 only the rounding of the reference is left.
    """
    if name.endswith((".iou", "object_score_logits")):
        return 2e-5
    if name.endswith((".choice", ".ids")):
        return 0.0
    if name.endswith("maskmem"):
        return 0.05 if name.startswith("binarized") else 0.02  # a step of bfloat16, two where values are large
    if name.startswith(("image.refine", "binarized")) or (dtype == torch.float32 and name.startswith(REFINED)):
        return 5e-4
    return 1e-4


def model_of(
    name: str, image_size: int, presence_bias: float | None = None, dtype: torch.dtype = torch.float32
) -> Sam2:
    """A model with the reference weights."""
    weights = state(keys(name))
    if presence_bias is not None:
        weights[PRESENCE_BIAS] = torch.full_like(weights[PRESENCE_BIAS], presence_bias)
    model = build(with_image_size(CONFIGS[name], image_size))
    model.load_state_dict(from_official(weights))
    return model.to(dtype)


def compare(path: Path, dtype: torch.dtype = torch.float32) -> dict[str, float]:
    """Largest absolute difference of each array of a file, and the number of discrete choices that differ.

    Only the runs whose arrays are in the file are made.
    """
    name, size = path.stem.split("px")[0].rsplit(".", 1)
    with np.load(path) as file:
        golden = {k: file[k] for k in file.files}
    model = model_of(name, int(size), dtype=dtype)
    found: dict[str, np.ndarray] = {}
    if "image_embed" in golden:
        found.update(run_image(model))
    if "video.forward.t0" in golden:
        found.update(run_video(model))
    if "binarized.t0" in golden:
        found.update(run_short(model, "binarized", binarize=True))
    if "absent.t0" in golden:
        found.update(run_short(model_of(name, int(size), -1.0, dtype), "absent", binarize=False))
    missing = set(golden) - set(found)
    assert not missing, f"arrays not compared: {sorted(missing)}"
    differences = {}
    for key, expected in golden.items():
        got = np.asarray(found[key], np.float64)
        assert got.size == expected.size, (key, got.shape, expected.shape)
        got, expected = got.reshape(expected.shape), expected.astype(np.float64)
        unsure = found.get(key + ".unsure", np.zeros(expected.shape, bool)).reshape(expected.shape)
        differences[key] = float(np.abs(got - expected)[~unsure].max(initial=0))
        if is_mask(key, expected):
            clear = np.abs(expected) > tolerance(key, dtype)  # a logit on the zero line is no choice
            differences[key + ".choice"] = float(((got > 0) != (expected > 0))[clear].sum())
        elif key.endswith("object_score_logits"):
            differences[key + ".choice"] = float(((got > 0) != (expected > 0)).sum())
        elif key.endswith("_multi.iou"):
            differences[key + ".choice"] = float(got.argmax() != expected.argmax())
    return differences


def is_mask(key: str, array: np.ndarray) -> bool:
    """Whether an array holds mask logits at the video's size."""
    return key.endswith(".masks") or (array.ndim == 4 and key.startswith(("video.", "binarized.t", "absent.t")))


def run_image(model: Sam2) -> dict[str, np.ndarray]:
    """Image features and prompts on the first frame."""
    predictor = ImagePredictor(model, resample="official_image")
    predictor.set_image(clip()[0])
    features, embed = predictor.embedding.features, predictor.embedding.conditioned
    out = {
        "image_embed": grid(embed[:, ::16].numpy(), 16),
        "high_res_feat0": grid(features.skip4[:, ::8].numpy(), 16),
        "high_res_feat1": grid(features.skip8[:, ::8].numpy(), 16),
    }
    for case, (points, labels, box, multimask) in CLICKS.items():
        p = predictor.predict(points=points, labels=labels, box=box, multimask=multimask)
        out[f"image.{case}.iou"] = p.iou
        out[f"image.{case}.low_res"] = grid(p.low_logits, 64)
        out[f"image.{case}.masks"] = grid(p.logits, 40)
        if case == "click1_multi":
            best = p.low_logits[p.iou.argmax()]
    p = predictor.predict(points=[(150, 110), (340, 180)], labels=[1, 0], logits=best, multimask=False)
    out["image.refine.iou"], out["image.refine.low_res"] = p.iou, grid(p.low_logits, 64)
    return out


def _frame(result: FrameResult) -> np.ndarray:
    return np.stack([grid(r.logits, 40)[None] for r in result.values()])


def run_video(model: Sam2) -> dict[str, np.ndarray]:
    """The clip: clicks, a box, a correction, reverse, and a mask prompt after a reset."""
    out: dict[str, np.ndarray] = {}
    options = SessionOptions.official(binarize_prompted=False, fill_holes=0)
    session = VideoSession(clip(), model, options=options)

    def keep(prefix: str, results: Iterable[FrameResult]) -> None:
        for r in results:
            out[f"{prefix}.t{r.frame}"] = _frame(r)
            out[f"{prefix}.t{r.frame}.ids"] = np.array(list(r))

    out["video.prompt.click"] = grid(session.prompt(0, 1, points=[(150, 110)], labels=[1]).logits, 40)
    out["video.prompt.click2"] = grid(session.prompt(0, 1, points=[(340, 180)], labels=[0]).logits, 40)
    session.prompt(0, 7, box=(300, 140, 372, 212))
    out["video.prompt.box"] = _frame(session.frame_result(0))
    keep("video.forward", session.propagate(start=0))
    for k, track in enumerate(session.tracks.values()):
        for t, answer in track.answers.items():
            entry = track.bank.prompted.get(t) or track.bank.recent[t]
            out[f"state.obj{k}.t{t}.obj_ptr"] = entry.pointer.numpy()
            out[f"state.obj{k}.t{t}.object_score_logits"] = answer.presence.numpy()
            out[f"state.obj{k}.t{t}.maskmem"] = grid(entry.features[:, ::8].float().numpy(), 16)
    session.prompt(4, 1, points=[(200, 120)], labels=[1])
    out["video.correct"] = _frame(session.frame_result(4))
    keep("video.after_correction", session.propagate(start=4))
    keep("video.reverse", session.propagate(start=4, stop=2, direction="backward"))
    session.reset()
    mask = np.zeros((270, 480), bool)
    mask[140:212, 280:352] = True
    out["video.prompt.mask"] = grid(session.prompt(2, 2, mask=mask).logits, 40)
    keep("video.mask_forward", session.propagate(start=2))
    keep("video.mask_reverse", session.propagate(start=2, direction="backward"))
    return out


def run_short(model: Sam2, prefix: str, *, binarize: bool) -> dict[str, np.ndarray]:
    """One click, two tracked frames."""
    out: dict[str, np.ndarray] = {}
    options = SessionOptions.official(binarize_prompted=binarize, fill_holes=0)
    session = VideoSession(clip(), model, options=options)
    session.prompt(0, 1, points=[(150, 110)], labels=[1])
    for r in session.propagate(start=0, stop=2):
        t = r.frame
        out[f"{prefix}.t{t}"], out[f"{prefix}.t{t}.ids"] = _frame(r), np.array(list(r))
        (track,) = session.tracks.values()
        entry = track.bank.prompted.get(t) or track.bank.recent[t]
        out[f"{prefix}.t{t}.obj_ptr"] = entry.pointer.numpy()
        out[f"{prefix}.t{t}.object_score_logits"] = track.answers[t].presence.numpy()
        memory = grid(entry.features[:, ::8].float().numpy(), 16)
        out[f"{prefix}.t{t}.maskmem"] = memory
        if binarize and t == 0:
            cells = grid(on_the_zero_line(track.answers[t].logits, model.config.image_size), 16)
            out[f"{prefix}.t{t}.maskmem.unsure"] = np.broadcast_to(cells, memory.shape)
    return out


def on_the_zero_line(logits: torch.Tensor, size: int) -> np.ndarray:
    """Places of memory under a pixel whose side of the threshold is a matter of rounding."""
    full = torch.nn.functional.interpolate(logits.float(), (size, size), mode="bilinear", align_corners=False)
    return torch.nn.functional.max_pool2d((full.abs() < 1e-6).float(), 16).bool().numpy()
