from __future__ import annotations

import inspect

import numpy as np
import pytest

from masklet.baselines.copy_first import CopyFirst
from masklet.baselines.official_sam2 import OfficialSegmenter, OfficialTracker
from masklet.baselines.optical_flow import OpticalFlow
from masklet.baselines.sam_and_tracker import SamAndTracker
from masklet.baselines.transformers_sam2 import TransformersSegmenter, TransformersTracker
from masklet.inference.adapters import PredictorSegmenter, SessionTracker
from masklet.model.sam2 import Sam2
from masklet.tracker import ImageBatchSegmenter, ImageSegmenter, Tracker
from tiny_model import DISC

TRACKERS = [SessionTracker, CopyFirst, OpticalFlow, SamAndTracker, OfficialTracker, TransformersTracker]
SEGMENTERS = [PredictorSegmenter, OfficialSegmenter, TransformersSegmenter]
BATCHES = [PredictorSegmenter, OfficialSegmenter]
FITS = ((Tracker, TRACKERS), (ImageSegmenter, SEGMENTERS), (ImageBatchSegmenter, BATCHES))


@pytest.mark.parametrize(("protocol", "ours"), [(protocol, one) for protocol, ours in FITS for one in ours])
def test_adapters_and_baselines_take_what_the_protocols_promise(protocol: type, ours: type):
    promised = {n: f for n, f in vars(protocol).items() if inspect.isfunction(f) and not n.startswith("_")}
    assert promised
    for name, function in promised.items():
        wanted = inspect.signature(function).parameters
        got = inspect.signature(getattr(ours, name)).parameters
        assert list(got)[: len(wanted)] == list(wanted)
        assert all(got[n].kind == p.kind and got[n].default == p.default for n, p in wanted.items())


def test_a_tracker_opens_prompts_and_propagates(tiny: Sam2, frames: list[np.ndarray]):
    tracker: Tracker = SessionTracker(tiny)
    for _ in range(2):  # a second open() forgets the first video
        tracker.open(frames)
        shown = tracker.prompt(2, 5, points=[DISC], labels=[1])
        followed = dict(tracker.propagate(start=2, stop=4))
        assert list(followed) == [2, 3, 4]
        assert list(followed[3]) == [5]
        assert np.array_equal(followed[2][5], shown)
        assert shown.shape == (48, 72)
        assert shown.dtype == np.bool_
    assert [t for t, _ in tracker.propagate(start=2, reverse=True)] == [2, 1, 0]


def test_a_tracker_must_be_opened_first(tiny: Sam2):
    with pytest.raises(RuntimeError, match=r"no video is open: call open\(source\) first"):
        SessionTracker(tiny).prompt(0, 1, points=[(1, 1)])


def test_a_segmenter_gives_masks_and_scores(tiny: Sam2, frames: list[np.ndarray]):
    segmenter = PredictorSegmenter(tiny)
    segmenter.set_image(frames[0])
    masks, iou = segmenter.predict(points=[DISC], labels=[1])
    assert masks.shape == (3, 48, 72)
    assert iou.shape == (3,)
    assert segmenter.logits is not None
    masks, iou = segmenter.predict(points=[DISC], labels=[1], mask_logits=segmenter.logits[0], multimask=False)
    assert masks.shape == (1, 48, 72)


def test_a_batch_gives_what_images_give_alone(tiny: Sam2, frames: list[np.ndarray]):
    segmenter, clicks = PredictorSegmenter(tiny), [(float(DISC[0]), float(DISC[1])), (5.0, 40.0)]
    together = segmenter.segment_batch(frames[:2], clicks)
    for image, click, (masks, iou) in zip(frames[:2], clicks, together, strict=True):
        segmenter.set_image(image)
        alone, alone_iou = segmenter.predict(points=[click], labels=[1])
        assert np.array_equal(masks, alone)
        assert np.allclose(iou, alone_iou, atol=1e-5)
