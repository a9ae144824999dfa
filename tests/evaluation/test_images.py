"""What a segmenter is asked on images, and what counts."""

from __future__ import annotations

import numpy as np
import pytest

from masklet.data.regions import ImageRegions
from masklet.evaluation.images import evaluate_images

IMAGE = np.zeros((30, 40, 3), np.uint8)


def strip(width):
    mask = np.zeros((30, 40), bool)
    mask[5:25, :width] = True
    return mask


class Scripted:
    """Answers from a list of ``(masks, predicted IoU)``; remembers what it was asked."""

    def __init__(self, *answers):
        self.answers, self.asked, self.images = list(answers), [], 0

    def set_image(self, image):
        self.images += 1

    def predict(self, **asked):
        self.asked.append(asked)
        masks, predicted = self.answers.pop(0)
        self.logits = np.stack([np.full((4, 4), len(self.asked) * 10 + i, np.float32) for i in range(len(masks))])
        return np.stack(masks), np.array(predicted, np.float32)


def test_predicted_iou_chooses_and_the_oracle_is_reported_beside():
    first = [strip(10), strip(20), strip(5)], [0.9, 0.2, 0.1]
    segmenter = Scripted(first, ([strip(16)], [1.0]), ([strip(20)], [1.0]), ([strip(18)], [1.0]))
    sample = ImageRegions("a", IMAGE, strip(20)[None])
    score = evaluate_images(segmenter, [sample], clicks=(1, 2, 3), logits=lambda: segmenter.logits)
    assert score.after_clicks == pytest.approx({1: 0.5, 2: 0.8, 3: 1.0})
    assert score.best_of_candidates == 1.0
    assert score.box == pytest.approx(0.9)
    one, two, three, box = segmenter.asked
    assert one["multimask"]
    assert "mask_logits" not in one
    assert not two["multimask"]
    assert [len(a["points"]) for a in (one, two, three)] == [1, 2, 3]
    assert two["labels"].tolist() == [1, 1]
    assert two["points"][1][0] >= 10
    assert two["mask_logits"].flat[0] == 10  # first answer, candidate 0
    assert three["mask_logits"].flat[0] == 20
    assert two["mask_logits"].shape == (4, 4)
    assert box["box"].tolist() == [0, 5, 19, 24]
    assert not box["multimask"]


def test_every_click_and_candidate_is_recorded():
    first = [strip(10), strip(20), strip(5)], [0.2, 0.1, 0.9]
    segmenter = Scripted(first, ([strip(16)], [1.0]), ([strip(24)], [1.0]), ([strip(20)], [1.0]))
    sample = ImageRegions("a", IMAGE, strip(20)[None])
    (mask,) = evaluate_images(segmenter, [sample], clicks=(1, 5), boxes=False).masks
    assert mask.candidates == pytest.approx((0.5, 1.0, 0.25))
    assert (mask.chosen, mask.best, mask.best_of_candidates) == (2, 1, 1.0)
    assert mask.click_iou == pytest.approx((0.25, 0.8, 20 / 24, 1.0))
    assert mask.after_clicks == {1: 0.25, 5: 1.0}
    assert [(c.frame, c.label) for c in mask.clicks] == [(0, 1), (0, 1), (0, 1), (0, 0)]
    asked = segmenter.asked[-1]["points"].tolist()
    assert [[c.x, c.y] for c in mask.clicks] == asked
    assert [x // 5 for x, _ in asked] == [1, 2, 3, 4]  # in strips 0-19, 5-19, 16-19, 20-23


def test_the_chosen_candidate_is_the_one_refined():
    segmenter = Scripted(([strip(10), strip(15)], [0.1, 0.7]), ([strip(20)], [1.0]))
    sample = ImageRegions("a", IMAGE, strip(20)[None])
    evaluate_images(segmenter, [sample], clicks=(2,), boxes=False, logits=lambda: segmenter.logits)
    assert segmenter.asked[1]["mask_logits"].flat[0] == 11


def test_no_further_click_on_a_perfect_answer():
    segmenter = Scripted(([strip(20)], [1.0]))
    score = evaluate_images(segmenter, [ImageRegions("a", IMAGE, strip(20)[None])], clicks=(1, 5), boxes=False)
    assert score.after_clicks == {1: 1.0, 5: 1.0}
    assert len(segmenter.asked) == 1
    assert score.box is None


def test_mean_is_over_masks_and_an_image_is_set_once():
    answers = [([strip(10)], [1.0]), ([strip(10)], [1.0]), ([strip(40)], [1.0])]
    segmenter = Scripted(*answers)
    samples = [
        ImageRegions("a", IMAGE, np.stack([strip(10), strip(20)])),
        ImageRegions("empty", IMAGE, np.zeros((0, 30, 40), bool)),
        ImageRegions("b", IMAGE, strip(40)[None]),
    ]
    score = evaluate_images(segmenter, samples, clicks=(1,), boxes=False)
    assert [(m.name, m.index) for m in score.masks] == [("a", 0), ("a", 1), ("b", 0)]
    assert score.after_clicks[1] == pytest.approx(2.5 / 3)
    assert segmenter.images == 2


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="at least 1"):
        evaluate_images(Scripted(), [], clicks=(0,))
    with pytest.raises(ValueError, match="no mask"):
        evaluate_images(Scripted(), [])
    with pytest.raises(ValueError, match="mask 0 of a"):
        evaluate_images(Scripted(), [ImageRegions("a", IMAGE, np.zeros((1, 30, 40), bool))])
