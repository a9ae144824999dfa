"""``masklet.compat.sam2`` beside the package it stands for: same weights, same calls, same answers, in float32."""

from __future__ import annotations

import inspect
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from golden_run import model_of
from masklet.baselines.official_sam2 import _at_least_float32
from masklet.checkpoints.convert import to_official
from masklet.compat.sam2.build_sam import SAM2Base
from masklet.compat.sam2.sam2_image_predictor import SAM2ImagePredictor
from masklet.compat.sam2.sam2_video_predictor import SAM2VideoPredictor
from masklet.compat.sam2.settings import settings_of
from masklet.compat.sam2.vos_inference import vos_inference, vos_separate_inference_per_object
from masklet.masks.label_png import read_label_png
from masklet.video.mask_files import write_mask_file
from tiny_model import clip

pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore:.*(torch.jit|antlr4|pkg_resources).*"),
    pytest.mark.skipif(find_spec("sam2") is None, reason="the official code is not installed (PyPI sam2)"),
]
SIZE, FRAMES, HEIGHT, WIDTH = 128, 7, 96, 144
DECODER = "++model.sam_mask_decoder_extra_args.dynamic_multimask"
SHARP = [f"{DECODER}_via_stability=true", f"{DECODER}_stability_delta=0.05", f"{DECODER}_stability_thresh=0.98"]
OVERRIDES = {
    "plain": [],
    "post-processed": [*SHARP, "++model.binarize_mask_from_pts_for_mem_enc=true"],
    "no overlap": ["++model.non_overlap_masks=true"],
    "corrections as prompts": ["++model.add_all_frames_to_correct_as_cond=true"],
    "one prompt read": ["++model.max_cond_frames_in_attn=1"],
}


@cache
def weights():
    return model_of("sam2.1_hiera_tiny", SIZE)


def theirs(builder: str, overrides: list[str]) -> Any:
    """The official model with our weights; holes are filled by its CUDA extension only, so they are left open."""
    build = getattr(import_module("sam2.build_sam"), builder)
    size = [f"++model.image_size={SIZE}"]
    built = build(
        "configs/sam2.1/sam2.1_hiera_t.yaml",
        device="cpu",
        hydra_overrides_extra=[*size, *overrides],
        apply_postprocessing=False,
    )
    built.load_state_dict(to_official(weights().state_dict()))
    if hasattr(built, "memory_attention"):  # its memories are bfloat16, which only autocast can read
        built.memory_attention.register_forward_pre_hook(_at_least_float32, with_kwargs=True)
    return built


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames that both read without loss: named as JPEG, which is all that the official code looks for."""
    made = tmp_path_factory.mktemp("frames")
    for t, frame in enumerate(clip(FRAMES, HEIGHT, WIDTH)):
        (made / f"{t:05d}.jpg").write_bytes(cv2.imencode(".png", frame[..., ::-1])[1].tobytes())
    return made


class Said(list):
    """Answers as they were: the official code goes on changing the list of ids that it gave."""

    def append(self, answer: tuple[int, list[Any], torch.Tensor]) -> None:
        super().append((answer[0], list(answer[1]), answer[2].clone()))

    def extend(self, answers: Any) -> None:
        for answer in answers:
            self.append(answer)


def script(predictor: Any, folder: Path) -> list[Any]:
    """Prompts, tracking and corrections; all that they answered."""
    state, said = predictor.init_state(str(folder)), Said()

    def track(*where: Any, **how: Any) -> None:
        said.extend(predictor.propagate_in_video(state, *where, **how))

    point = {"points": np.array([[48, 40]], np.float32), "labels": np.array([1], np.int32)}
    said.append(predictor.add_new_points_or_box(state, 1, 0, **point))
    more = {"points": [[60.0, 50.0]], "labels": [0]}
    said.append(predictor.add_new_points_or_box(state, 1, 0, clear_old_points=False, **more))
    said.append(predictor.add_new_points_or_box(state, 1, 0, points=[[50.0, 44.0]], labels=[1]))  # instead of both
    said.append(predictor.add_new_points_or_box(state, 1, "box", box=[70, 20, 140, 90]))
    relative = {"points": [[0.2, 0.3]], "labels": [1], "normalize_coords": False}
    said.append(predictor.add_new_points_or_box(state, 2, 7, **relative))
    track()
    track(reverse=True)
    said.append(predictor.add_new_points_or_box(state, 4, 0, points=[[55.0, 40.0]], labels=[1]))
    track(4)
    track(1, 3)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[20:60, 40:90] = True
    said.append(predictor.add_new_mask(state, 5, 7, mask))
    track(5, reverse=True)
    ids, updated = predictor.remove_object(state, "box")
    assert ids == [0, 7]
    said.extend((t, ids, logits) for t, logits in updated)
    track()
    predictor.reset_state(state)
    said.append(predictor.add_new_mask(state, 0, 3, torch.from_numpy(mask)))
    track(max_frame_num_to_track=2)
    return said


@pytest.mark.parametrize("overrides", OVERRIDES.values(), ids=OVERRIDES.keys())
def test_a_video_is_answered_alike(folder: Path, overrides: list[str]):
    ours = script(SAM2VideoPredictor(weights(), settings_of(overrides)), folder)
    official = script(theirs("build_sam2_video_predictor", overrides), folder)
    # without overlap, rounding decides between equal logits
    check_alike(ours, official, most_apart=1e-3 if "non_overlap" in str(overrides) else 0)


def check_alike(ours: list[Any], official: list[Any], most_apart: float = 0.0) -> None:
    """Features are as near to double precision as the official ones, but not the same; random weights add to that."""
    assert [(t, ids) for t, ids, _ in ours] == [(t, ids) for t, ids, _ in official]
    assert len(ours) > 30
    for k, ((t, _, a), (_, _, b)) in enumerate(zip(ours, official, strict=True)):
        assert a.shape == b.shape
        apart = float(((a - b).abs() > 5e-4).float().mean())
        assert apart <= most_apart, (k, t, float((a - b).abs().max()), float(b.abs().max()))
        assert float(((a > 0) != (b > 0)).float().mean()) < 1e-3, (k, t)


def clearing(predictor: Any, folder: Path) -> list[Any]:
    """Prompts that are taken back: not tracked yet, tracked, corrections, the last one of an object."""
    state, said = predictor.init_state(str(folder)), Said()

    def track(*where: Any, **how: Any) -> None:
        said.extend(predictor.propagate_in_video(state, *where, **how))

    def click(t: int, i: int, x: float, y: float) -> None:
        said.append(predictor.add_new_points_or_box(state, t, i, points=[[x, y]], labels=[1]))

    def clear(t: int, i: int) -> None:
        said.append(predictor.clear_all_prompts_in_frame(state, t, i))

    click(1, 0, 48, 40)
    click(4, 0, 60, 50)
    click(1, 8, 110, 60)
    clear(4, 0)  # of which nothing is encoded yet
    click(4, 0, 55, 45)
    track()
    clear(4, 0)  # prompted memory becomes ordinary memory
    track(2)
    click(4, 0, 52, 42)  # begins anew, and refines what was answered there
    track(3)
    click(6, 8, 100, 60)  # a correction
    track(5, reverse=True)
    clear(6, 8)
    clear(2, 8)  # has none
    track(1)
    clear(4, 0)
    clear(1, 0)  # the last one
    with pytest.raises(RuntimeError, match="for object id 0"):
        track()
    click(1, 0, 50, 44)  # on a tracked frame the official code would fail: nothing is left to read
    track(3)
    assert predictor.clear_all_prompts_in_frame(state, 1, 0, need_output=False) is None
    click(1, 0, 44, 36)
    track()
    return said


@pytest.mark.parametrize("overrides", [OVERRIDES["plain"], OVERRIDES["corrections as prompts"]])
def test_prompts_are_taken_back_alike(folder: Path, overrides: list[str]):
    ours = clearing(SAM2VideoPredictor(weights(), settings_of(overrides)), folder)
    check_alike(ours, clearing(theirs("build_sam2_video_predictor", overrides), folder))


def test_images_are_answered_alike(torchvision: None):
    from sam2.sam2_image_predictor import SAM2ImagePredictor as Official

    official = Official(theirs("build_sam2", SHARP))
    official._bb_feat_sizes = [(SIZE // stride, SIZE // stride) for stride in (4, 8, 16)]  # fixed to 1024
    ours = SAM2ImagePredictor(SAM2Base(weights(), settings_of(SHARP)))
    images = clip(2, HEIGHT, WIDTH)
    points, labels = np.array([[48, 40], [20, 30]], np.float32), np.array([1, 0], np.int32)
    boxes = np.array([[70, 20, 140, 90], [5, 5, 60, 70]], np.float32)

    def said(predictor: Any) -> list[Any]:
        predictor.set_image(images[0])
        answers = [predictor.predict(points, labels), predictor.predict(points[:1], labels[:1], return_logits=True)]
        low = answers[0][2]
        answers.append(predictor.predict(points, labels, mask_input=low[:1], multimask_output=False))
        answers.append(predictor.predict(box=boxes[0], multimask_output=False))
        answers.append(predictor.predict(box=boxes, multimask_output=False))
        answers.append(predictor.predict(points / [WIDTH, HEIGHT], labels, normalize_coords=False))
        answers.append(predictor.predict(points[:, None], labels[:, None], boxes))
        embedding = predictor.get_image_embedding().numpy()
        predictor.set_image_batch(images)
        batch = predictor.predict_batch([points, points[:1]], [labels, labels[:1]], list(boxes))
        return [*answers, *zip(*batch, strict=True), (embedding, embedding, embedding)]

    for a, b in zip(said(ours), said(official), strict=True):
        for x, y in zip(a, b, strict=True):
            assert (x.shape, x.dtype) == (y.shape, y.dtype)
        if set(np.unique(b[0])) <= {0.0, 1.0}:
            assert np.mean(a[0] != b[0]) < 1e-4
        else:
            assert np.abs(a[0] - b[0]).max() < 5e-3
        assert np.abs(a[1] - b[1]).max() < 1e-4
        assert np.abs(a[2] - b[2]).max() < 5e-3


def official_tool(predictor: Any, folder: Path, given: dict[int, tuple[int, np.ndarray]], together: bool) -> Any:
    """Label maps by frame, put together from the official predictor as the official tool does."""
    state, logits = predictor.init_state(str(folder)), np.full((len(given), FRAMES, HEIGHT, WIDTH), -1024.0)
    if together:
        for i, (t, mask) in given.items():
            predictor.add_new_mask(state, t, i, mask)
        for t, _, answers in predictor.propagate_in_video(state):
            logits[:, t] = answers[:, 0].numpy()
    else:
        for k, (i, (start, mask)) in enumerate(given.items()):
            predictor.reset_state(state)
            predictor.add_new_mask(state, start, i, mask)
            for t, _, answers in predictor.propagate_in_video(state, start_frame_idx=start):
                logits[k, t] = answers[0, 0].numpy()
    winner = np.take([*given], logits.argmax(0))
    return np.where(logits.max(0) > 0, winner, 0)


@pytest.mark.parametrize("together", [True, False])
def test_the_tool_of_benchmarks_writes_alike(folder: Path, tmp_path: Path, together: bool):
    masks = np.zeros((2, HEIGHT, WIDTH), bool)
    masks[0, 20:60, 40:90] = masks[1, 50:80, 80:130] = True
    masks[1] &= ~masks[0]
    given = {3: (0, masks[0]), 5: (0 if together else 2, masks[1])}
    for t in {t for t, _ in given.values()}:
        labels = sum(i * mask for i, (start, mask) in given.items() if start == t)
        write_mask_file(tmp_path / "in" / folder.name / f"{t:05d}.png", labels.astype(np.uint8))
    overrides = OVERRIDES["no overlap"]
    ours = SAM2VideoPredictor(weights(), settings_of(overrides), prune=True)
    run = vos_inference if together else vos_separate_inference_per_object
    run(ours, folder.parent, tmp_path / "in", tmp_path / "out", folder.name)
    wanted = official_tool(theirs("build_sam2_video_predictor", overrides), folder, given, together)
    written = [read_label_png(tmp_path / "out" / folder.name / f"{t:05d}.png") for t in range(FRAMES)]
    assert {3, 5} <= {*np.unique(wanted)}
    assert np.mean(np.stack(written) != wanted) < 1e-3


NAMES = {
    "build_sam": ["build_sam2", "build_sam2_video_predictor", "build_sam2_hf", "build_sam2_video_predictor_hf"],
    "sam2_image_predictor": ["SAM2ImagePredictor"],
    "sam2_video_predictor": ["SAM2VideoPredictor", "SAM2VideoPredictorVOS"],
}


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in NAMES.items() for name in names])
def test_names_and_signatures(torchvision: None, module: str, name: str):
    official = getattr(import_module(f"sam2.{module}"), name)
    ours = getattr(import_module(f"masklet.compat.sam2.{module}"), name)
    if inspect.isfunction(official):
        check_signature(official, ours)
    elif name.startswith("SAM2Image") or name == "SAM2VideoPredictor":
        methods = {n: f for n, f in vars(official).items() if not n.startswith("_") and callable(f)}
        assert len(methods) > 5
        for method in methods:
            check_signature(getattr(official, method), getattr(ours, method))


def check_signature(official: Any, ours: Any) -> None:
    wanted, got = inspect.signature(official).parameters, inspect.signature(ours).parameters
    if any(p.kind == p.VAR_POSITIONAL for p in wanted.values()):
        return
    assert list(got) == list(wanted)
    for name, parameter in wanted.items():
        default = parameter.default
        assert got[name].default == (() if default == [] else default), name
