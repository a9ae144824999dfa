"""The official generator of automatic masks beside ours: same weights, the same masks in the same order."""

from __future__ import annotations

import inspect
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from golden_weights import keys, state
from masklet.checkpoints.convert import from_official
from masklet.compat.sam2.automatic_mask_generator import SAM2AutomaticMaskGenerator
from masklet.compat.sam2.build_sam import SAM2Base
from masklet.compat.sam2.settings import settings_of
from masklet.inference.image import ImagePredictor
from masklet.masks.rle import decode
from masklet.model.config import CONFIGS, with_image_size
from masklet.model.sam2 import build
from tiny_model import clip

pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore:.*(torch.jit|antlr4|pkg_resources).*"),
    pytest.mark.skipif(find_spec("sam2") is None, reason="the official code is not installed (PyPI sam2)"),
]
SIZE, HEIGHT, WIDTH = 256, 180, 240
SHARP = ["++model.sam_mask_decoder_extra_args.dynamic_multimask_via_stability=true"]
SHARP += [f"++model.sam_mask_decoder_extra_args.dynamic_multimask_stability_{n}" for n in ("delta=0.05", "thresh=0.98")]
LIVELY = {
    "conv_s": 0.1,
    "iou_prediction_head.layers.2.weight": 10,
    "cross_attn_image_to_token.out_proj.weight": 6,
    "output_upscaling.3": 3,
}
CHOSEN = {"points_per_side": 12, "pred_iou_thresh": 0.55, "stability_score_thresh": 0.6, "stability_score_offset": 0.8}
NOISE = {"points_per_side": 5, "pred_iou_thresh": 0.25, "stability_score_thresh": 0.1, "stability_score_offset": 0.02}
NOISE |= {"mask_threshold": 0.6, "box_nms_thresh": 0.95, "crop_nms_thresh": 0.95}
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "runs": {"output_mode": "uncompressed_rle", "points_per_batch": 7},
    "all": {"pred_iou_thresh": 0.0, "stability_score_thresh": 0.0, "box_nms_thresh": 0.9},
    "crops": {"crop_n_layers": 1, "crop_n_points_downscale_factor": 2, "output_mode": "coco_rle"},
    "grids": {
        "points_per_side": None,
        "point_grids": [np.random.default_rng(k).uniform(size=(n, 2)) for k, n in enumerate((99, 19))],
        "crop_n_layers": 1,
        "crop_overlap_ratio": 0.2,
    },
    "repaired": {"min_mask_region_area": 20},
    "refined": {"use_m2m": True, "points_per_side": 7, "stability_score_thresh": 0.3, "min_mask_region_area": 20},
    "one mask": {"multimask_output": False, "pred_iou_thresh": 0.3, "stability_score_thresh": 0.5},
}


@cache
def weights() -> dict[str, torch.Tensor]:
    """Masks of random weights that differ from click to click, and scores that differ among them."""
    made = state(keys("sam2.1_hiera_tiny"))
    for name in made:
        for part, factor in LIVELY.items():
            if name.startswith("sam_mask_decoder") and part in name:
                made[name] *= factor
    return made


def components(masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What the official CUDA extension answers: components of ``[n 1 h w]``, and the area of each pixel's."""
    labels, areas = [], []
    for mask in masks[:, 0].numpy():
        _, found, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
        labels.append(found)
        areas.append(np.where(found > 0, stats[found, cv2.CC_STAT_AREA], 0))
    return torch.from_numpy(np.stack(labels))[:, None], torch.from_numpy(np.stack(areas))[:, None]


@pytest.fixture
def official(torchvision: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes generators of the official code."""
    monkeypatch.setattr("sam2.utils.misc.get_connected_components", components)
    build_sam2 = import_module("sam2.build_sam").build_sam2
    size = f"++model.image_size={SIZE}"
    model = build_sam2(
        "configs/sam2.1/sam2.1_hiera_t.yaml", None, "cpu", "eval", [size, *SHARP], apply_postprocessing=False
    )
    model.load_state_dict(weights())

    def make(**options: Any) -> Any:
        made = import_module("sam2.automatic_mask_generator").SAM2AutomaticMaskGenerator(model, **options)
        made.predictor._bb_feat_sizes = [(SIZE // stride, SIZE // stride) for stride in (4, 8, 16)]  # fixed to 1024
        return made

    return make


@cache
def ours() -> SAM2Base:
    model = build(with_image_size(CONFIGS["sam2.1_hiera_tiny"], SIZE))
    model.load_state_dict(from_official(weights()))
    return SAM2Base(model, settings_of(SHARP))


def drawn(points: torch.Tensor, previous: torch.Tensor | None, multimask: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Masks that a model might answer to clicks ``[b 2]``: blobs of three sizes around some places.

    Edges are steep or not, there are holes and specks, and scores have no order.
    """
    places = torch.from_numpy(np.random.default_rng(5).uniform(0, SIZE, (14, 2))).float()
    near = places[torch.cdist(points, places).argmin(1)]
    centre = (near + 0.05 * (points - near))[:, None, None] / 4
    cells = torch.stack(torch.meshgrid(torch.arange(SIZE // 4), torch.arange(SIZE // 4), indexing="xy"), -1).float()
    way = cells - centre  # [b h w 2]
    distance, angle = way.norm(dim=-1), torch.atan2(way[..., 1], way[..., 0])
    code = (points.round() * torch.tensor([0.37, 0.71])).sum(1)
    radii = torch.tensor([4.0, 8.0, 15.0]) if multimask else torch.tensor([7.0])
    steep = (0.3 + code.sin().square())[:, None, None, None]
    edge = radii[:, None, None] * (1 + 0.2 * torch.sin(5 * angle))[:, None] - distance[:, None]  # [b m h w]
    logits = steep * edge.clamp(-6, 6)
    logits[distance[:, None].expand_as(logits) < 1.5] = -2.0
    logits[(distance[:, None].expand_as(logits) - 22).abs() < 0.6] = 1.5
    if previous is not None:
        logits = 0.5 * logits + 0.5 * previous
    iou = 0.5 + 0.5 * (3 * code[:, None] + torch.arange(len(radii))).sin()
    return logits, iou


@pytest.fixture
def blobs(official: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let both take ``drawn`` for what the model says."""

    def predict(self: Any, points: Any, labels: Any, mask_input: Any = None, multimask_output: Any = True, **_: Any):
        logits, iou = drawn(points[:, 0], mask_input, multimask_output)
        return self._transforms.postprocess_masks(logits, self._orig_hw[-1]), iou, logits.clamp(-32, 32)

    def decode_few(_: Any, image: Any, prompts: Any, multimask: bool, least_iou: Any = None):
        points = prompts[0].points if len(prompts) == 1 else torch.cat([one.points for one in prompts])
        earlier = None if prompts[0].previous_logits is None else torch.cat([one.previous_logits for one in prompts])
        logits, iou = drawn(points[:, 0], earlier, multimask)
        yield from zip(logits.split(5), iou.split(5), strict=True)

    monkeypatch.setattr("sam2.sam2_image_predictor.SAM2ImagePredictor._predict", predict)
    monkeypatch.setattr(ImagePredictor, "_decode", decode_few)
    return official


def compare(official: Any, options: dict[str, Any], apart: int) -> list[dict[str, Any]]:
    """Check that the masks are the same but for some pixels."""
    image = clip(1, HEIGHT, WIDTH)[0]
    wanted, got = official(**options).generate(image), SAM2AutomaticMaskGenerator(ours(), **options).generate(image)
    assert len(got) == len(wanted)
    for a, b in zip(got, wanted, strict=True):
        assert {name: type(value) for name, value in a.items()} == {name: type(value) for name, value in b.items()}
        for name in ("bbox", "crop_box", "area"):
            assert a[name] == pytest.approx(b[name], abs=apart), name
        assert a["point_coords"][0] == pytest.approx(b["point_coords"][0], abs=1e-4)
        assert a["predicted_iou"] == pytest.approx(b["predicted_iou"], abs=5e-5)  # rounding, through lively decoders
        if not apart:
            assert a["stability_score"] == pytest.approx(b["stability_score"], abs=0, nan_ok=True)
        assert np.count_nonzero(mask_of(a) != mask_of(b)) <= apart
        if isinstance(a["segmentation"], dict) and not apart:
            assert a["segmentation"] == b["segmentation"]
    return got


def mask_of(record: dict[str, Any]) -> np.ndarray:
    segmentation = record["segmentation"]
    return segmentation if isinstance(segmentation, np.ndarray) else decode(segmentation)


@pytest.mark.parametrize("case", CASES)
def test_the_same_masks_in_the_same_order(blobs: Any, case: str):
    assert len(compare(blobs, {**CHOSEN, **CASES[case]}, apart=0)) > 8


@pytest.mark.parametrize("case", CASES)
def test_the_same_of_a_model_of_random_weights(official: Any, case: str):
    """Its masks are noise, of which few boxes differ."""
    assert compare(official, {**NOISE, **CASES[case], "pred_iou_thresh": 0.25}, apart=3)


def test_every_filter_takes_some(blobs: Any):
    """Else the comparisons say little."""

    def records(**options: Any) -> list[dict[str, Any]]:
        return SAM2AutomaticMaskGenerator(ours(), **{**CHOSEN, "points_per_side": 8, **options}).generate(
            clip(1, HEIGHT, WIDTH)[0]
        )

    def count(**options: Any) -> int:
        return len(records(**options))

    crops = {"crop_n_layers": 1, "box_nms_thresh": 1.0}
    assert count() < count(box_nms_thresh=1.0) < count(box_nms_thresh=1.0, stability_score_thresh=0.0)
    assert count(box_nms_thresh=1.0) < count(box_nms_thresh=1.0, pred_iou_thresh=0.0)
    assert count(**crops, crop_nms_thresh=0.7) < count(**crops, crop_nms_thresh=1.0)
    areas, repaired = ({one["area"] for one in records(min_mask_region_area=n)} for n in (0, 20))
    assert areas & repaired < areas


def test_small_regions_are_repaired_alike(torchvision: None):
    theirs, amg = import_module("sam2.automatic_mask_generator"), import_module("sam2.utils.amg")
    masks = (
        torch.rand(30, 24, 31, generator=torch.Generator().manual_seed(0))
        > torch.linspace(0.05, 0.95, 30)[:, None, None]
    )
    masks[7] = False

    def data() -> Any:
        boxes = amg.batched_mask_to_box(masks)
        return amg.MaskData(
            rles=amg.mask_to_rle_pytorch(masks), boxes=boxes, points=torch.arange(30), names=np.arange(30)
        )

    for least in (1, 4, 9, 2000):
        a = SAM2AutomaticMaskGenerator.postprocess_small_regions(data(), least, 0.97)
        b = theirs.SAM2AutomaticMaskGenerator.postprocess_small_regions(data(), least, 0.97)
        assert a["rles"] == b["rles"]
        assert torch.equal(a["boxes"], b["boxes"])
        assert torch.equal(a["points"], b["points"])
        assert np.array_equal(a["names"], b["names"])


def test_refinement_by_itself(official: Any):
    image = clip(1, HEIGHT, WIDTH)[0]
    points, labels = torch.tensor([[30.0, 60.0], [90.0, 200.0]]), torch.ones(2, dtype=torch.int)
    earlier = torch.randn(2, SIZE // 4, SIZE // 4, generator=torch.Generator().manual_seed(0))
    for n in (1, 2):
        answers = []
        for made in (SAM2AutomaticMaskGenerator(ours()), official()):
            made.predictor.set_image(image)
            answers.append(made.refine_with_m2m(points[:n], labels[:n], earlier[:n], 1))
        for a, b in zip(*answers, strict=True):
            assert a.shape == b.shape
            assert torch.allclose(a, b, atol=1e-4)


@pytest.mark.parametrize(
    "name", ["generate", "from_pretrained", "refine_with_m2m", "postprocess_small_regions", "__init__"]
)
def test_names_and_signatures(torchvision: None, name: str):
    theirs = import_module("sam2.automatic_mask_generator").SAM2AutomaticMaskGenerator
    wanted, got = (inspect.signature(getattr(one, name)).parameters for one in (theirs, SAM2AutomaticMaskGenerator))
    assert [(p.name, p.default) for p in got.values()] == [(p.name, p.default) for p in wanted.values()]


def test_what_is_kept_as_attributes(official: Any):
    kept = {name for name in vars(official(**CHOSEN)) if not name.startswith("_")}
    assert kept <= vars(SAM2AutomaticMaskGenerator(ours(), **CHOSEN)).keys()
