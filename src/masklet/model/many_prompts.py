"""Many prompts on one image: the mask decoder with the image side shared by all of them.

For inference on a processor: prompts come one after another through tensors small enough for its cache. The readable
reference is :class:`~masklet.model.mask_decoder.MaskDecoder`. What cannot be shared goes to
:class:`~masklet.model.streamed_mask_decoder.StreamedMaskDecoder`, or where that does not serve to the reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ..structures import FrameFeatures, Prompts
from .attention import Attention
from .candidates import STABILITY_THRESHOLD, stability
from .mask_decoder import MASKS
from .precision import own_precision
from .sam2 import Sam2
from .shared_image import Projection, PromptedImage, share
from .shared_upscaling import SharedUpscaler, fold_twice
from .streamed_mask_decoder import StreamedMaskDecoder
from .two_way import TwoWayLayer

TOGETHER = 8  # prompts: their tokens fill a matrix product, their masks take 6 MB at 1024 pixels
# Where the shared image was found to be faster than the reference (docs/performance.md).
FEWEST = 4  # prompts that its preparation pays for
SMALLEST = 256  # places at stride 16
MOST_POINTS = 10  # of a prompt: the work grows with the square of its tokens

Candidates = tuple[Float[Tensor, "b m h4 w4"], Float[Tensor, "b m"]]


def decode_many(
    model: Sam2,
    conditioned: Float[Tensor, "1 c h w"],
    features: FrameFeatures,
    prompts: Prompts,
    *,
    ambiguous: bool,
    stability_fallback: bool = True,
    least_iou: float | None = None,
) -> Iterator[Candidates]:
    """Candidate masks and their predicted IoU of any number of prompts, a few at a time in their order.

    Args:
        model: The model.
        conditioned: Of one image, as :meth:`~masklet.model.sam2.Sam2.condition` returned it.
        features: The image's features.
        prompts: All with the same number of points.
        ambiguous: Return three candidates for each prompt, else one.
        stability_fallback: Let the best of three replace an unstable single mask.
        least_iou: Where no candidate of a prompt has a predicted IoU above this, its logits may be -inf: the shared
            image then saves their upscaling.
    """
    given = [one for one in (prompts.points, prompts.previous_logits) if one is not None]
    options = {"ambiguous": ambiguous, "stability_fallback": stability_fallback}
    with own_precision(model):
        many = ManyPrompts(model, conditioned, features) if _shareable(model, conditioned, prompts) else None
    decoder = StreamedMaskDecoder(model.mask_decoder) if many is None and model.full_precision_on_cpu else None
    for start in range(0, len(given[0]), TOGETHER):
        few = _take(prompts, slice(start, start + TOGETHER))
        if many is not None:
            with own_precision(model):  # not around the yield: the caller's surroundings are its own
                candidates = many.decode(few, **options, least_iou=least_iou)
            yield candidates
            continue
        with torch.inference_mode():
            answer = model.decode(conditioned, features, few, **options, decoder=decoder)
        yield answer.candidates, answer.candidate_iou


def _shareable(model: Sam2, conditioned: Tensor, prompts: Prompts) -> bool:
    """Whether the shared image is exact (earlier logits change every place of it) and faster."""
    if prompts.points is None or prompts.previous_logits is not None:
        return False
    places = conditioned.shape[-2] * conditioned.shape[-1]
    pays = len(prompts.points) >= FEWEST and prompts.count <= MOST_POINTS and places >= SMALLEST
    return pays and model.full_precision_on_cpu


def _take(prompts: Prompts, rows: slice) -> Prompts:
    def of(x: Tensor | None) -> Tensor | None:
        return None if x is None else x[rows]

    return replace(
        prompts, points=of(prompts.points), labels=of(prompts.labels), previous_logits=of(prompts.previous_logits)
    )


class ManyPrompts:
    """The mask decoder on one image, ready for any number of prompts without earlier logits.

    Args:
        model: Whose decoder it is.
        conditioned: As :meth:`~masklet.model.sam2.Sam2.condition` returned it.
        features: The image's features.
    """

    @torch.inference_mode()
    def __init__(self, model: Sam2, conditioned: Float[Tensor, "1 c h w"], features: FrameFeatures) -> None:
        self.model, self.conditioned = model, conditioned
        clicks, code = model.click_features, model.prompt_encoder.position.map(*conditioned.shape[-2:])
        self.size = 16 * conditioned.shape[-2], 16 * conditioned.shape[-1]
        coarse, self.fine = (
            conditioned.new_zeros(conditioned.shape[1], 0),
            conditioned.new_zeros(features.skip4.shape[1], 0),
        )
        if clicks is not None:
            coarse, self.fine = clicks.coarse.weight[..., 0, 0], clicks.fine.weight[..., 0, 0]
        image = conditioned + model.prompt_encoder.no_mask_embedding[..., None, None]
        self.image = share(model.mask_decoder.transformer, image[0].flatten(1), code[0].flatten(1), coarse)
        self.upscaler = SharedUpscaler.of(model.mask_decoder.upscaler, self.image, features.skip8[0], features.skip4[0])

    @torch.inference_mode()
    def decode(
        self, prompts: Prompts, *, ambiguous: bool, stability_fallback: bool, least_iou: float | None = None
    ) -> Candidates:
        """Candidate masks and their predicted IoU, see :func:`decode_many`; only these are made of the four masks."""
        sparse, coarse, fine = self._encode(prompts)
        tokens, images = self._exchange(sparse, coarse)
        iou = self.model.mask_decoder.iou_head(tokens[:, 1]).sigmoid()
        best = iou[:, 1:].argmax(1, keepdim=True) + 1
        clear = torch.zeros_like(best)
        if ambiguous:
            asked = torch.arange(1, MASKS, device=iou.device).expand(len(iou), -1)
        else:
            asked = torch.cat((clear, best), 1) if stability_fallback else clear
        heads = self.model.mask_decoder.mask_heads
        weights = torch.stack([head(tokens[:, 2 + i]) for i, head in enumerate(heads)], 1)  # [b 4 c4]
        weights = weights.take_along_dim(asked[..., None], 1)
        iou = iou.gather(1, asked)
        wanted = [True] * len(iou) if least_iou is None else (iou > least_iou).any(1).tolist()
        parts = zip(images, weights, fine, wanted, strict=True)
        masks = torch.stack([self._upscale(*part) for part in parts])
        if ambiguous or not stability_fallback:
            return masks, iou
        index = (stability(masks[:, :1]) < STABILITY_THRESHOLD).long()  # [b 1]
        return masks.take_along_dim(index[..., None, None], 1), iou.gather(1, index)

    def _upscale(
        self, image: PromptedImage, weights: Float[Tensor, "m c4"], maps: Tensor, wanted: bool
    ) -> Float[Tensor, "m h4 w4"]:
        """Masks of one prompt, or -inf in their place."""
        if not wanted:
            return weights.new_full((len(weights), self.size[0] // 4, self.size[1] // 4), -torch.inf)
        return self.upscaler.logits(image, weights, self.fine, fold_twice(maps))

    def _encode(self, prompts: Prompts) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens, and click maps at strides 16 and 4 before they are drawn (none in official models)."""
        assert prompts.points is not None and prompts.labels is not None
        sparse = self.model.prompt_encoder.encode_points(prompts.points, prompts.labels, self.size)
        clicks, b, (h, w) = self.model.click_features, len(sparse), self.conditioned.shape[-2:]
        if clicks is None:
            return sparse, sparse.new_zeros(b, 0, h, w), sparse.new_zeros(b, 0, 4 * h, 4 * w)
        under = clicks.tokens(self.conditioned.expand(b, -1, -1, -1), prompts, self.size)
        return sparse + under, *clicks.undrawn(prompts, self.size)

    def _exchange(self, sparse: Tensor, coarse: Tensor) -> tuple[Tensor, list[PromptedImage]]:
        """The two-way transformer: tokens of all prompts together, images one by one."""
        decoder = self.model.mask_decoder
        given = torch.cat((decoder.presence_token, decoder.iou_token, decoder.mask_tokens))
        tokens = code = torch.cat((given.expand(len(sparse), -1, -1), sparse), 1)
        images = self.image.prompted(coarse.flatten(2), tokens.shape[1])
        for layer, shared in zip(decoder.transformer.layers, self.image.layers, strict=True):
            assert isinstance(layer, TwoWayLayer)
            tokens = layer.attend_tokens(tokens, code)
            looked = _look(layer.token_to_image, tokens + code, shared.keys, shared.values, images)
            tokens = layer.norm2(tokens + looked)
            tokens = layer.norm3(tokens + layer.mlp(tokens))
            keys, values = _split(layer.image_to_token, tokens + code, tokens)
            images = [shared.read_tokens(k, v, image) for k, v, image in zip(keys, values, images, strict=True)]
        last = decoder.transformer
        looked = _look(last.token_to_image, tokens + code, self.image.keys, self.image.values, images)
        return last.norm(tokens + looked), images


def _look(
    attention: Attention, query: Tensor, keys: Projection, values: Projection, images: list[PromptedImage]
) -> Float[Tensor, "b n c"]:
    """What tokens read of the image."""
    q = attention.split(attention.query(query))
    q = q * q.shape[-1] ** -0.5
    read = [values.mean(keys.scores(one, image).softmax(2), image) for one, image in zip(q, images, strict=True)]
    return attention.out(torch.stack(read).transpose(1, 2).flatten(2))


def _split(attention: Attention, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Keys, scaled for the scores, and values of tokens."""
    k, v = attention.split(attention.key(key)), attention.split(attention.value(value))
    return k * k.shape[-1] ** -0.5, v
