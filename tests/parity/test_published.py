"""Numbers that others published for the official weights, from our API with official options.

Opt-in: ``MASKLET_WEIGHTS=DIR MASKLET_FIXTURES=DIR pytest -m weights tests/parity/test_published.py``; a test whose
files are missing is skipped. Weights: files or ``transformers`` folders named like the model in the folder
``MASKLET_WEIGHTS``, else those in the cache (``masklet models``). Pictures: truck.jpg, groceries.jpg, bedroom.mp4 and,
for two more cases, dog-sam.png and car.png in the folder ``MASKLET_FIXTURES`` (from
``hf-internal-testing/sam2-fixtures`` and ``huggingface/documentation-images`` on Hugging Face, and the assets of
``ybelkada/segment-anything``).

The numbers are those of the integration tests of ``transformers``, which resizes 8-bit pixels: we give our predictors
frames resized that way, and prompts scaled with them. Left out are rows that it computed with prompts padded to equal
length (an empty token takes part in attention there), and which no other code repeats.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from masklet.checkpoints.hub import SUFFIXES, cached
from masklet.checkpoints.load import load
from masklet.checkpoints.registry import REGISTRY
from masklet.inference.image import ImagePredictor
from masklet.inference.options import SessionOptions
from masklet.inference.session import VideoSession
from masklet.masks.resize import resize_logits
from masklet.model.memory_bank import MemoryBank
from masklet.model.sam2 import Sam2, no_prompt
from masklet.structures import MemoryEntry, Prompts
from masklet.video.frames import open_source
from masklet.video.images import read_image
from masklet.video.pixels import to_input

pytestmark = pytest.mark.weights

TINY = "sam2.1_hiera_tiny"
SIZE = 1024
CLOSE = {"atol": 1e-4, "rtol": 1e-4}
TRACKED = {"atol": 1e-2, "rtol": 1e-2}  # as published for these cases: differences add up from frame to frame
ROUGH = {"atol": 1e-2, "rtol": 0.0}


def weights_file(name: str) -> Path:
    """The weights of a model on this machine; skips where there are none."""
    folder = os.environ.get("MASKLET_WEIGHTS")
    if folder:
        for stem in (name, name.replace("_", "-")):
            for path in (Path(folder) / stem, *(Path(folder) / f"{stem}{suffix}" for suffix in SUFFIXES)):
                if path.exists():
                    return path
    path = cached(REGISTRY[name])
    if path is None:
        pytest.skip(f"no weights of {name}: set MASKLET_WEIGHTS to a folder with {name}.pt")
    return path


@lru_cache(maxsize=1)
def model_of(name: str) -> Sam2:
    return load(weights_file(name), model=name)


def fixture_file(name: str) -> Path:
    """A picture or film; skips where it is not given."""
    path = Path(os.environ.get("MASKLET_FIXTURES", "")) / name
    if "MASKLET_FIXTURES" not in os.environ or not path.exists():
        pytest.skip(f"no {name}: set MASKLET_FIXTURES to a folder with it")
    return path


def squared(frame: np.ndarray) -> np.ndarray:
    """A frame as the model's input sees it: antialiased bilinear on 8-bit values."""
    pixels = torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1)))[None]
    resized = functional.interpolate(pixels, (SIZE, SIZE), mode="bilinear", align_corners=False, antialias=True)
    return resized[0].permute(1, 2, 0).contiguous().numpy()


class Picture:
    """An image set in a predictor; prompts are in pixels of the image."""

    def __init__(self, name: str, model: str = TINY) -> None:
        path = fixture_file(name)
        self.predictor = ImagePredictor(model_of(model), resample="official_image")
        frame = read_image(path)
        self.scale = np.array([SIZE / frame.shape[1], SIZE / frame.shape[0]])
        self.predictor.set_image(squared(frame))

    def predict(self, *, multimask: bool, points: Any = None, labels: Any = None, box: Any = None) -> Any:
        points = None if points is None else np.array(points) * self.scale
        box = None if box is None else (np.array(box).reshape(2, 2) * self.scale).ravel()
        return self.predictor.predict(points=points, labels=labels, box=box, multimask=multimask)

    def refine(self, previous: torch.Tensor, points: Any, labels: Any) -> Any:
        """Like predict with logits, which are not clamped before: ``transformers`` does not."""
        image = self.predictor.embedding
        prompts = Prompts(
            points=torch.from_numpy((np.array(points) * self.scale).astype(np.float32))[None],
            labels=torch.tensor(labels)[None],
            previous_logits=previous[None, None],
        )
        with torch.inference_mode():
            return self.predictor.model.decode(image.conditioned, image.features, prompts, ambiguous=False)


def corner(low_logits: Any, side: int) -> np.ndarray:
    """The top-left pixels of a map at stride 4, before any clamping."""
    return np.asarray(low_logits)[..., :side, :side]


def test_truck_click_with_three_masks():
    answer = Picture("truck.jpg").predict(points=[(500, 375)], labels=[1], multimask=True)
    np.testing.assert_allclose(np.sort(answer.iou)[::-1], [0.9547, 0.4932, 0.0427], **CLOSE)
    expected = [[-24.9288, -41.7466, -31.0128], [-34.5113, -31.1054, -36.5913], [-25.2597, -37.5912, -33.4030]]
    np.testing.assert_allclose(corner(answer.shown[answer.best], 3), expected, **CLOSE)


def test_truck_click_with_one_mask():
    answer = Picture("truck.jpg").predict(points=[(500, 375)], labels=[1], multimask=False)
    np.testing.assert_allclose(answer.iou, [0.9364], **CLOSE)
    expected = [[-7.0462, -13.3857, -9.6419], [-10.4565, -9.7174, -12.3528], [-7.3704, -12.4391, -10.5539]]
    np.testing.assert_allclose(corner(answer.shown[0], 3), expected, **CLOSE)


def test_dog_two_clicks_with_three_masks():
    answer = Picture("dog-sam.png").predict(points=[(770, 200), (730, 120)], labels=[1, 0], multimask=True)
    np.testing.assert_allclose(np.sort(answer.iou)[::-1], [0.9504, 0.8117, 0.7426], **CLOSE)


def test_groceries_two_clicks():
    answer = Picture("groceries.jpg").predict(points=[(630, 300), (550, 300)], labels=[1, 1], multimask=False)
    np.testing.assert_allclose(answer.iou, [0.9114], **CLOSE)


@pytest.mark.parametrize(
    ("name", "boxes", "expected"),
    [
        (
            "truck.jpg",
            [(75, 275, 1725, 850), (425, 600, 700, 875), (1375, 550, 1650, 800), (1240, 675, 1400, 750)],
            [0.9904, 0.9689, 0.9770, 0.9079],
        ),
        (
            "groceries.jpg",
            [(450, 170, 520, 350), (350, 190, 450, 350), (500, 170, 580, 350), (580, 170, 640, 350)],
            [0.9739, 0.9816, 0.9838, 0.9781],
        ),
    ],
)
def test_boxes(name: str, boxes: list[tuple[int, int, int, int]], expected: list[float]):
    picture = Picture(name)
    found = [picture.predict(box=box, multimask=False).iou[0] for box in boxes]
    np.testing.assert_allclose(found, expected, **CLOSE)


@pytest.mark.parametrize(
    ("labels", "iou", "row"),
    [([1, 1], 0.9738, [-5.3899, -9.7908, -8.4931]), ([1, 0], 0.9719, [-15.5081, -21.8641, -18.0479])],
)
def test_truck_refined(labels: list[int], iou: float, row: list[float]):
    picture = Picture("truck.jpg")
    first = picture.predict(points=[(500, 375)], labels=[1], multimask=True)
    answer = picture.refine(first.shown[first.best], [(500, 375), (1125, 625)], labels)
    np.testing.assert_allclose(answer.candidate_iou[0], [iou], **CLOSE)
    np.testing.assert_allclose(corner(answer.candidates[0, 0], 3)[0], row, **CLOSE)


# Videos: the top-left pixel of the first two rows of each frame, at the video's size

FILM_OPTIONS = SessionOptions.official(clip_length_codes=False, fill_holes=0)  # a clip of more than 16 frames; no holes
FILM_CASES = {
    "click": (
        {1: {"points": [(210, 350)], "labels": [1]}},
        {1: [(-21.4113, -23.3090), (-20.1003, -21.2294), (-19.9619, -21.3060)]},
        CLOSE,
    ),
    "two_clicks": (
        {1: {"points": [(210, 350), (250, 220)], "labels": [1, 1]}},
        {1: [(-11.1487, -11.6522), (-15.3821, -16.0333), (-15.4855, -16.4230)]},
        TRACKED,
    ),
    "box": (
        {1: {"box": (300, 0, 500, 400)}},
        {1: [(-13.1427, -13.7753), (-14.9998, -15.7086), (-15.4558, -16.1649)]},
        TRACKED,
    ),
    "box_and_click": (
        {1: {"box": (300, 0, 500, 400), "points": [(460, 60)], "labels": [1]}},
        {1: [(-12.3525, -13.0608), (-15.8181, -16.4163), (-15.8900, -16.5953)]},
        TRACKED,
    ),
    "three_clicks": (  # published beside a padded object 3
        {2: {"points": [(200, 300), (230, 250), (275, 175)], "labels": [1, 1, 0]}},
        {2: [(-12.6294, -13.3659), (-18.5249, -19.5830), (-14.2722, -15.4622)]},
        CLOSE,
    ),
    "two_boxes": (
        {2: {"box": (300, 0, 500, 400)}, 3: {"box": (400, 0, 600, 400)}},
        {
            2: [(-13.1427, -13.7753), (-14.9998, -15.7086), (-15.4558, -16.1649)],
            3: [(-8.4576, -8.7329), (-9.2998, -9.8947), (-10.4880, -11.2098)],
        },
        CLOSE,
    ),
}


class Film:
    """The first three frames of the film as the model's input sees them; prompts are in pixels of the film."""

    def __init__(self) -> None:
        source = open_source(fixture_file("bedroom.mp4"))
        self.size = source.size
        self.frames = [squared(source.frame(t)) for t in range(3)]
        source.close()

    def prompt(self, *, points: Any = None, labels: Any = None, box: Any = None) -> dict[str, Any]:
        scale = np.array([SIZE / self.size[1], SIZE / self.size[0]])
        return {
            "points": None if points is None else np.array(points) * scale,
            "labels": labels,
            "box": None if box is None else (np.array(box).reshape(2, 2) * scale).ravel(),
        }

    def column(self, low_logits: torch.Tensor) -> np.ndarray:
        """The first two pixels of the first column at the film's size."""
        return resize_logits(low_logits.reshape(1, 1, *low_logits.shape[-2:]), self.size)[0, 0, :2, 0].numpy()


@pytest.mark.parametrize("case", FILM_CASES)
def test_film(case: str):
    prompts, expected, tolerance = FILM_CASES[case]
    model, film = model_of(TINY), Film()
    with VideoSession(film.frames, model, options=FILM_OPTIONS) as session:
        for object_id, prompt in prompts.items():
            session.prompt(0, object_id, **film.prompt(**prompt))
        for result in session.propagate():
            for object_id, columns in expected.items():
                found = film.column(result[object_id].low_logits)
                np.testing.assert_allclose(found, columns[result.frame], **tolerance)


def test_film_frame_by_frame():
    prompts, expected, tolerance = FILM_CASES["two_clicks"]
    model, film = model_of(TINY), Film()
    with VideoSession(None, model, options=FILM_OPTIONS) as session:
        session.step(film.frames[0])
        first = session.prompt(0, 1, **film.prompt(**prompts[1]))
        answers = [first, *(session.step(frame)[1] for frame in film.frames[1:])]
    for answer, columns in zip(answers, expected[1], strict=True):
        np.testing.assert_allclose(film.column(answer.low_logits), columns, **tolerance)


@torch.inference_mode()
def test_film_with_a_mask():
    """With the four calls: ``transformers`` makes pointer and memory of a given mask otherwise than the official code.

    Its pointer is that of the best of three candidates, and its memory is made from the mask at full size.
    """
    model, film = model_of(TINY), Film()
    with VideoSession(film.frames, model, options=FILM_OPTIONS) as session:
        clicked = session.prompt(0, 1, **film.prompt(**FILM_CASES["two_clicks"][0][1]))
    shown = resize_logits(clicked.low_logits[None, None], film.size)
    mask = functional.interpolate(shown, (SIZE, SIZE), mode="bilinear", align_corners=False, antialias=True)
    mask = (mask >= 0.5).float()  # it takes logits for a mask, and one half for the threshold

    features = model.encode_image(to_input(film.frames[0], SIZE, resample="official_video"))
    given = model.adopt_mask(features, mask)
    asked = replace(no_prompt(1, model.device), previous_logits=model.given_mask(mask))
    pointer = model.decode(features.embedding, features, asked, ambiguous=True).pointer
    memory = model.memory_encoder(features.embedding, mask * 20 - 10).to(torch.bfloat16)
    bank = MemoryBank(model.limits)
    bank.write(0, MemoryEntry(memory, pointer), prompted=True)

    np.testing.assert_allclose(film.column(given.logits), (-10, -10), **CLOSE)
    for t, expected in ((1, (-18.4807, -19.1966)), (2, (-20.0512, -20.9110))):
        features = model.encode_image(to_input(film.frames[t], SIZE, resample="official_video"))
        answer = model.predict(features, bank.read(t))
        np.testing.assert_allclose(film.column(answer.logits), expected, **CLOSE)
        entry = model.encode_memory(features, answer)
        assert entry.features is not None
        bank.write(t, replace(entry, features=entry.features.to(torch.bfloat16)), prompted=False)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sam2.1_hiera_tiny", [0.0316, 0.9647, 0.1029]),
        ("sam2.1_hiera_small", [0.9664, 0.1494, 0.0456]),
        ("sam2.1_hiera_base_plus", [0.0361, 0.9775, 0.1307]),
        ("sam2.1_hiera_large", [0.9648, 0.0371, 0.1898]),
        ("sam2_hiera_tiny", [0.0439, 0.9567, 0.1415]),
        ("sam2_hiera_small", [0.9593, 0.1633, 0.0392]),
        ("sam2_hiera_base_plus", [0.0423, 0.9815, 0.0897]),
        ("sam2_hiera_large", [0.9514, 0.0535, 0.1787]),
    ],
)
def test_car_click_of_every_model(name: str, expected: list[float]):
    answer = Picture("car.png", name).predict(points=[(1000, 600)], labels=[1], multimask=True)
    np.testing.assert_allclose(answer.iou, expected, **ROUGH)
