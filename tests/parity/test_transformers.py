"""Our models and those of ``transformers``, with the same weights and the same pixels, give the same answers.

The weights follow from their official names (``golden_weights``) and reach the other side through our converter. Where
``transformers`` 5.18 departs from the official code (which our sessions follow, see ``test_golden``), it is evened out:

- Memories of prompts are always binarised, no holes are filled, and pointer distances of streamed frames are divided by
  15: options of ours.
- A call that prompts one object binarises the memories of all: corrections are compared with one object.
- A correction does not refine the earlier logits, the pointer of a given mask comes from the best of three candidates,
  and its memory from the mask at full size rather than from its logits: ``TheirSession.run`` changes that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from importlib.util import find_spec
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import Tensor

from golden_clip import HEIGHT, WIDTH, clip
from golden_run import model_of
from masklet.checkpoints.convert import to_transformers
from masklet.checkpoints.transformers_config import transformers_config
from masklet.inference.image import ImagePredictor
from masklet.inference.options import SessionOptions
from masklet.inference.results import FrameResult
from masklet.inference.session import VideoSession
from masklet.interaction.prompts import MOST_LOGIT, UserPrompt, user_prompt
from masklet.masks.resize import resize_logits
from masklet.model.sam2 import Sam2
from masklet.video.fitting import fit_frame
from masklet.video.pixels import to_input

pytestmark = [
    pytest.mark.parity,
    pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed (extra 'parity')"),
]

# Double precision, so that what differs is not rounding, which refined masks amplify. A few steps stay float32 on both
# sides: points and logits as they come in, and resized masks.
DTYPE = torch.float64
SIZE = 512
SMALL_SIZE = 256
FRAMES = 4
CLICK: dict[str, Any] = {"points": [(150, 110)], "labels": [1]}
CLICKS: dict[str, Any] = {"points": [(150, 110), (340, 180)], "labels": [1, 0]}
BOX: dict[str, Any] = {"box": (96, 60, 200, 160)}
BOX_CLICK: dict[str, Any] = {**BOX, "points": [(340, 180)], "labels": [0]}
TOLERANCES = {
    "masks": 1e-5,
    "iou": 1e-6,
    "presence": 2e-6,
    "pointer": 5e-6,
    "features": 1e-12,
    "memory": 0.02,  # stored in bfloat16: a step, two where values are large
    "prompted_memory": 0.02,
    "choice": 0.0,
}
DISC = np.zeros((HEIGHT, WIDTH), bool)
DISC[140:212, 280:352] = True


@dataclass(frozen=True)
class Pair:
    """One model on both sides."""

    ours: Sam2
    image: Any
    video: Any

    @property
    def size(self) -> int:
        return self.ours.config.image_size


@lru_cache(maxsize=2)
def pair(name: str, size: int, presence_bias: float | None = None) -> Pair:
    """Ours with weights by name, and theirs with the same weights converted."""
    from transformers import Sam2Config, Sam2Model, Sam2VideoConfig, Sam2VideoModel

    ours = model_of(name, size, presence_bias, DTYPE)
    state, config = to_transformers(ours.state_dict()), transformers_config(ours.config)
    video = Sam2VideoModel(Sam2VideoConfig.from_dict(config)).to(DTYPE).eval()
    video.load_state_dict(state)
    parts = ("vision_config", "prompt_encoder_config", "mask_decoder_config")
    image = Sam2Model(Sam2Config(**{part: config[part] for part in parts})).to(DTYPE).eval()
    left = image.load_state_dict(state, strict=False)
    assert not left.missing_keys
    return Pair(ours, image, video)


@dataclass
class Differences:
    """Largest absolute difference of each quantity; ``choice`` counts discrete choices that differ."""

    largest: dict[str, float] = field(default_factory=dict)
    compared: int = 0

    def note(self, family: str, ours: Any, theirs: Any) -> None:
        a, b = (torch.as_tensor(x).detach().double().flatten() for x in (ours, theirs))
        assert a.shape == b.shape, (family, a.shape, b.shape)
        found = float((a - b).abs().max())
        self.largest[family] = max(found, self.largest.get(family, 0.0))
        self.compared += 1
        if family in ("masks", "presence"):
            clear = b.abs() > TOLERANCES[family]
            self.note("choice", ((a > 0) != (b > 0))[clear].sum(), 0)

    def check(self) -> None:
        wrong = {name: d for name, d in self.largest.items() if not d <= TOLERANCES[name]}
        assert not wrong


# Images


def their_prompt(given: UserPrompt, size: int) -> dict[str, Tensor]:
    """A prompt as ``Sam2Model`` takes it: in pixels of the square input."""
    scale = torch.tensor([WIDTH, HEIGHT], dtype=DTYPE)
    out = {}
    if len(given.points):
        out["input_points"] = (torch.from_numpy(given.points) / scale * size)[None, None]
        out["input_labels"] = torch.from_numpy(given.labels)[None, None]
    if given.box is not None:
        out["input_boxes"] = (torch.from_numpy(given.box).reshape(2, 2) / scale * size).reshape(1, 1, 4)
    return out


def compare_image(models: Pair, cases: dict[str, dict[str, Any]]) -> dict[str, Differences]:
    """Prompts on the first frame; ``refine`` in a case names the earlier one whose best logits go in."""
    frame = clip()[0]
    predictor = ImagePredictor(models.ours, resample="official_image")
    predictor.set_image(frame)
    maps = models.image.get_image_embeddings(to_input(frame, models.size, resample="official_image").to(DTYPE))
    found = {"features": Differences()}
    ours = predictor.embedding
    for a, b in zip((ours.features.skip4, ours.features.skip8, ours.conditioned), maps, strict=True):
        found["features"].note("features", a, b)
    best: dict[str, np.ndarray] = {}
    for name, case in cases.items():
        prompt = {k: v for k, v in case.items() if k not in ("multimask", "refine")}
        logits = best[case["refine"]] if "refine" in case else None
        answer = predictor.predict(**prompt, logits=logits, multimask=case["multimask"])
        request = their_prompt(user_prompt((HEIGHT, WIDTH), **prompt), models.size)
        if logits is not None:
            request["input_masks"] = torch.from_numpy(logits)[None, None].to(DTYPE)
        with torch.inference_mode():
            theirs = models.image(image_embeddings=list(maps), multimask_output=case["multimask"], **request)
        best[name] = answer.low_logits[answer.best]
        seen = found[name] = Differences()
        seen.note("iou", answer.iou, theirs.iou_scores)
        seen.note("masks", answer.shown, theirs.pred_masks)
        seen.note("choice", answer.best, theirs.iou_scores.argmax())
    return found


IMAGE_CASES = {
    "click": {**CLICK, "multimask": True},
    "click_single": {**CLICK, "multimask": False},
    "clicks": {**CLICKS, "multimask": False},
    "box": {**BOX, "multimask": False},
    "box_click": {**BOX_CLICK, "multimask": False},
    "refine": {**CLICKS, "multimask": False, "refine": "click"},
}


# Videos


class TheirSession:
    """A clip in ``Sam2VideoModel``, frames already resized; prompts in pixels of the clip."""

    def __init__(self, model: Any, *, whole: bool = True) -> None:
        from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

        self.model, self.size = model, model.config.image_size
        video = torch.cat([self.pixels(t) for t in range(FRAMES)]) if whole else None
        self.session = Sam2VideoInferenceSession(video=video, inference_device="cpu", dtype=DTYPE)
        self.objects: dict[int, int] = {}

    def pixels(self, t: int) -> Tensor:
        return to_input(clip()[t], self.size, resample="official_video").to(DTYPE)

    def give(self, frame: int, object_id: int, **prompt: Any) -> None:
        """Prompt an object; :meth:`run` answers."""
        given = user_prompt((HEIGHT, WIDTH), **prompt)
        index = self.objects[object_id] = self.session.obj_id_to_idx(object_id)
        if given.mask is not None:
            self.session.add_mask_inputs(
                index, frame, fit_frame(given.mask.shape, self.size).mask(given.mask).to(DTYPE)
            )
        else:
            scaled = their_prompt(given, self.size)
            points = [scaled[k].reshape(1, 1, -1, 2) for k in ("input_boxes", "input_points") if k in scaled]
            labels = [*((2, 3) if given.box is not None else ()), *given.labels.tolist()]
            inputs = {"point_coords": torch.cat(points, 2), "point_labels": torch.tensor(labels)[None, None]}
            self.session.add_point_inputs(index, frame, inputs)
        self.session.obj_with_new_inputs.append(object_id)

    def run(
        self, frame: int, *, reverse: bool = False, previous: Tensor | None = None, stream: bool = False
    ) -> dict[int, dict[str, Tensor]]:
        """Answers of all objects on a frame. ``previous``: logits that a correction refines."""
        scores: list[Tensor] = []
        hook = self.model.mask_decoder.register_forward_hook(lambda _m, _i, out: scores.append(out[1].max()))
        changed = {
            "_run_single_frame_inference": partial(
                self.model._run_single_frame_inference, prev_sam_mask_logits=previous
            ),
            "_single_frame_forward": partial(self.model._single_frame_forward, multimask_output=False),  # if not said
            "_use_mask_as_output": partial(self._adopt, self.model._use_mask_as_output),
        }
        try:
            with patch.multiple(self.model, **changed):
                pixels = self.pixels(frame) if stream else None
                out = self.model(self.session, frame_idx=frame, frame=pixels, reverse=reverse)
        finally:
            hook.remove()
        answers = {}
        for k, (object_id, index) in enumerate(self.objects.items()):
            stored = self.session.output_dict_per_obj[index]
            kept = stored["cond_frame_outputs"].get(frame) or stored["non_cond_frame_outputs"][frame]
            answers[object_id] = {
                "masks": out.pred_masks[k],
                "presence": out.object_score_logits[k],
                "pointer": kept["object_pointer"],
                "memory": kept["maskmem_features"].float().permute(1, 2, 0),
            }
            if len(scores) == len(self.objects) and frame not in self.session.mask_inputs_per_obj[index]:
                answers[object_id]["iou"] = scores[k]
        return answers

    def _adopt(self, adopt: Callable[..., Any], *args: Any) -> Any:
        out = adopt(*args)
        out.high_res_masks = resize_logits(out.pred_masks, (self.size, self.size)).to(DTYPE)
        return out


@dataclass
class BothSessions:
    """The same clip on both sides, one driven like the other."""

    ours: VideoSession
    theirs: TheirSession
    seen: Differences = field(default_factory=Differences)

    @staticmethod
    def open(models: Pair, **changes: Any) -> BothSessions:
        options = SessionOptions.official(fill_holes=0, **changes)
        return BothSessions(VideoSession(clip()[:FRAMES], models.ours, options=options), TheirSession(models.video))

    def prompt(self, frame: int, prompts: dict[int, dict[str, Any]], previous: Tensor | None = None) -> None:
        """Prompt objects on a frame and compare what is answered at once."""
        for object_id, prompt in prompts.items():
            self.ours.prompt(frame, object_id, **prompt)
            self.theirs.give(frame, object_id, **prompt)
        self.compare(self.ours.frame_result(frame), self.theirs.run(frame, previous=previous), stored=False)

    def follow(self, start: int, stop: int) -> None:
        """Track from a frame to another, itself included, and compare each."""
        direction = "forward" if stop >= start else "backward"
        for result in self.ours.propagate(start=start, stop=stop, direction=direction):
            self.compare(result, self.theirs.run(result.frame, reverse=direction == "backward"))

    def compare(self, result: FrameResult, theirs: dict[int, dict[str, Tensor]], *, stored: bool = True) -> None:
        assert list(result) == list(theirs)
        for object_id, answer in theirs.items():
            mine = result[object_id]
            values: dict[str, Any] = {"masks": mine.low_logits, "presence": mine.presence, "iou": mine.iou}
            if stored:
                bank = self.ours.tracks[object_id].bank
                entry = bank.prompted.get(result.frame) or bank.recent[result.frame]
                values |= {"pointer": entry.pointer, "memory": entry.features.float()}
            if mine.prompted and stored:
                values["prompted_memory"], answer["prompted_memory"] = values.pop("memory"), answer["memory"]
            for family in values.keys() & answer.keys():
                self.seen.note(family, values[family], answer[family])


def run_correction(models: Pair) -> Differences:
    """One click, tracked; a correction on a tracked frame, forward from it, and back in reverse."""
    both = BothSessions.open(models)
    both.prompt(0, {1: CLICK})
    both.follow(0, 3)
    previous = both.ours.frame_result(2)[1].low_logits[None, None].clamp(-MOST_LOGIT, MOST_LOGIT)
    both.prompt(2, {1: {"points": [(200, 120)], "labels": [1]}}, previous)
    both.follow(3, 3)
    both.follow(2, 1)
    return both.seen


def run_objects(models: Pair) -> Differences:
    """A box, two clicks, and a box with a click: three objects at once."""
    both = BothSessions.open(models)
    both.prompt(0, {1: BOX, 7: CLICKS, 3: BOX_CLICK})
    both.follow(0, 2)
    return both.seen


def run_mask(models: Pair) -> Differences:
    """A mask on the second frame, followed to both ends."""
    both = BothSessions.open(models)
    both.prompt(1, {2: {"mask": DISC}})
    both.follow(1, 2)
    both.follow(1, 0)
    return both.seen


def run_click(models: Pair, last: int = 1, **changes: Any) -> Differences:
    """One click and a few tracked frames."""
    both = BothSessions.open(models, **changes)
    both.prompt(0, {1: CLICK})
    both.follow(0, last)
    return both.seen


def run_stream(models: Pair) -> Differences:
    """Frames one by one, two objects: pointer distances are divided by 15, however long it goes on."""
    options = SessionOptions.official(fill_holes=0, clip_length_codes=False)
    both = BothSessions(VideoSession(None, models.ours, options=options), TheirSession(models.video, whole=False))
    both.ours.step(clip()[0])
    for object_id, prompt in {1: CLICK, 7: BOX}.items():
        both.ours.prompt(0, object_id, **prompt)
        both.theirs.give(0, object_id, **prompt)
    both.compare(both.ours.frame_result(0), both.theirs.run(0, stream=True), stored=False)
    for t in range(1, FRAMES):
        both.compare(both.ours.step(clip()[t]), both.theirs.run(t, stream=True))
    return both.seen


VIDEO_RUNS: Iterable[Callable[[Pair], Differences]] = (run_correction, run_objects, run_mask, run_stream)
OTHERS = ("sam2.1_hiera_small", "sam2.1_hiera_base_plus", "sam2_hiera_tiny")


def test_image_prompts_agree():
    found = compare_image(pair("sam2.1_hiera_tiny", SIZE), IMAGE_CASES)
    assert set(found) == {"features", *IMAGE_CASES}
    for seen in found.values():
        seen.check()


@pytest.mark.parametrize("run", VIDEO_RUNS, ids=lambda run: run.__name__.removeprefix("run_"))
def test_videos_agree(run: Callable[[Pair], Differences]):
    seen = run(pair("sam2.1_hiera_tiny", SIZE))
    seen.check()
    assert set(seen.largest) >= {"masks", "iou", "presence", "pointer", "memory", "choice"}
    assert seen.compared >= 30


def test_an_absent_object_agrees():
    seen = run_click(pair("sam2.1_hiera_tiny", SMALL_SIZE, presence_bias=-1.0))
    seen.check()
    assert seen.largest["pointer"] < 1e-6  # the pointer of an absent object is a constant


def test_a_wrong_time_scale_shows():
    seen = run_click(pair("sam2.1_hiera_tiny", SMALL_SIZE), FRAMES - 1, clip_length_codes=False)
    assert seen.largest["masks"] > TOLERANCES["masks"]


@pytest.mark.parametrize("name", OTHERS)
def test_other_models_agree(name: str):
    models = pair(name, SMALL_SIZE)
    for seen in compare_image(models, {"click": IMAGE_CASES["click"]}).values():
        seen.check()
    run_click(models).check()
