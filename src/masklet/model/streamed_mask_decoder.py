"""The mask decoder for inference on a CPU: the numbers of :mod:`~masklet.model.mask_decoder`, with less work.

An object has few tokens, so matrices between tokens and image go to the tokens: with the key matrix ``K`` the score of
a query ``q`` and a place ``x`` is ``q (K x) = (q K) x``. A token has one vector as wide as the image for each head, and
keys, values, queries and outputs of places are never made. The image of an object passes exchanges and upscaling in
bands of rows that stay in the cache, channels last. A transposed convolution of 2x2 and stride 2 maps a place to four
of its own: it is a matrix, with axes for those four until the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import Attention
from .mask_decoder import Decoded, MaskDecoder
from .two_way import TwoWayLayer

BAND = 1024  # places at stride 16: 1 MB of the image, 2 MB at stride 4

Tokens = Float[Tensor, "b n c"]
Asked = Float[Tensor, "b ht c"]  # by head and token
Band = Float[Tensor, "p c"]
Bands = list[Float[Tensor, "_ c"]]
Matrix = tuple[Float[Tensor, "_ _"], Float[Tensor, " _"]]  # of a transposed convolution, [i y*x*o], and its bias


class StreamedMaskDecoder:
    """The mask decoder of one session, for any prompts; it keeps the code of the image's cells in bands.

    Args:
        decoder: Its weights must not change any more.
    """

    @torch.inference_mode()
    def __init__(self, decoder: MaskDecoder) -> None:
        self._decoder = decoder
        self._layers = [layer for layer in decoder.transformer.layers if isinstance(layer, TwoWayLayer)]
        self._upscaler = _Upscaler.of(decoder)
        self._codes: tuple[Tensor, Bands] | None = None

    @torch.inference_mode()
    @torch.autocast("cpu", enabled=False)
    def __call__(
        self,
        image: Float[Tensor, "b c h w"],
        image_code: Float[Tensor, "1 c h w"],
        skip8: Tensor,
        skip4: Tensor,
        sparse: Float[Tensor, "b n c"] | None,
    ) -> Decoded:
        """What :meth:`~masklet.model.mask_decoder.MaskDecoder.forward` says of the same."""
        if self._codes is None or self._codes[0] is not image_code:
            self._codes = image_code, _bands(image_code[0])
        b, decoder = len(image), self._decoder
        tokens, images = self._exchange(decoder.tokens(b, sparse), [_bands(one) for one in image])
        presence, iou, masks, weights = decoder.read_out(tokens)
        skips = skip8.expand(b, -1, -1, -1), skip4.expand(b, -1, -1, -1)
        logits = [self._upscaler(*one) for one in zip(images, *skips, weights, strict=True)]
        return torch.stack(logits), iou, presence, masks

    def _exchange(self, tokens: Tokens, images: list[Bands]) -> tuple[Tokens, list[Bands]]:
        """The two-way transformer. Tokens do not wait for places to read them: those score the next look at once."""
        transformer, code = self._decoder.transformer, tokens
        looks = [*(layer.token_to_image for layer in self._layers), transformer.token_to_image]
        tokens = self._layers[0].attend_tokens(tokens, code)
        asked = _asked(looks[0], tokens + code)
        images, scores = self._pass(images, [None] * len(images), asked)
        for i, layer in enumerate(self._layers, 1):
            tokens = layer.norm2(tokens + _seen(layer.token_to_image, scores, images))
            tokens = layer.norm3(tokens + layer.mlp(tokens))
            answers = _answers(layer, tokens + code, tokens)
            if i < len(self._layers):
                tokens = self._layers[i].attend_tokens(tokens, code)
            images, scores = self._pass(images, answers, _asked(looks[i], tokens + code))
        return transformer.norm(tokens + _seen(looks[-1], scores, images)), images

    def _pass(
        self, images: list[Bands], answers: Sequence[_Answers | None], asked: Asked
    ) -> tuple[list[Bands], list[Float[Tensor, "ht hw"]]]:
        """Let places read the tokens, and score what tokens ask of them next."""
        assert self._codes is not None
        read, scores, room = [], [], torch.empty_like(images[0][0])
        for bands, answer, ask in zip(images, answers, asked, strict=True):
            new, scored = [], []
            for x, code in zip(bands, self._codes[1], strict=True):
                here = room[: len(x)]
                x = x if answer is None else answer(x, code, here)
                new.append(x)
                scored.append(ask @ torch.add(x, code, out=here).T)
            read.append(new)
            scores.append(torch.cat(scored, 1))
        return read, scores


@dataclass(frozen=True)
class _Answers:
    """What the places of an object read of its tokens.

    Attributes:
        keys: By head and token, as places are compared with them.
        offsets: What is added to those scores.
        values: What a place gets of each, with a share of the output's bias: the weights of a head sum to 1.
        norm: What follows.
        heads: Number of heads.
    """

    keys: Float[Tensor, "ht c"]
    offsets: Float[Tensor, "ht 1"]
    values: Float[Tensor, "ht c"]
    norm: nn.LayerNorm
    heads: int

    def __call__(self, x: Band, code: Band, room: Band) -> Band:
        """Places after they read the tokens; ``room`` is written over, as new memory would cost time."""
        scores = torch.addmm(self.offsets, self.keys, torch.add(x, code, out=room).T)
        weights = scores.unflatten(0, (self.heads, -1)).softmax(1).flatten(0, 1)
        return self.norm(torch.addmm(x, weights.T, self.values, out=room))


@dataclass(frozen=True)
class _Upscaler:
    """Stride 16 to the logits at stride 4, band by band.

    Attributes:
        to8: First transposed convolution.
        norm: The norm.
        to4: Second transposed convolution.
    """

    to8: Matrix
    norm: nn.LayerNorm
    to4: Matrix

    @staticmethod
    def of(decoder: MaskDecoder) -> _Upscaler:
        upscaler = decoder.upscaler
        return _Upscaler(_matrix(upscaler.to8), upscaler.norm, _matrix(upscaler.to4))

    def __call__(
        self,
        bands: Bands,
        skip8: Float[Tensor, "c8 h8 w8"],
        skip4: Float[Tensor, "c4 h4 w4"],
        weights: Float[Tensor, "m c4"],
    ) -> Float[Tensor, "m h4 w4"]:
        """Logits of masks, each a weighted sum of the channels at stride 4."""
        (c8, _, w8), (c4, h4, w4), m, norm = skip8.shape, skip4.shape, len(weights), self.norm
        w, start, most = w8 // 2, 0, len(bands[0])
        logits, room8, room4 = (weights.new_empty(n) for n in (m * h4 * w4, most * 4 * c8, most * 16 * c4))
        logits = logits.view(m, h4, w4)
        for x in bands:
            h, end = len(x) // w, start + len(x) // w
            skip = skip8[:, 2 * start : 2 * end].reshape(c8, h, 2, w, 2).permute(1, 3, 2, 4, 0)  # [h w 8y 8x c8]
            y = F.layer_norm(_upscaled(x, self.to8, skip, room8), (c8,), norm.weight, norm.bias, norm.eps)
            skip = skip4[:, 4 * start : 4 * end].reshape(c4, h, 2, 2, w, 2, 2).permute(1, 4, 2, 5, 3, 6, 0)
            y = _upscaled(torch.ops.aten.gelu_(y), self.to4, skip, room4)  # [h w 8y 8x 4y 4x c4], flat to c4
            made = (weights @ torch.ops.aten.gelu_(y).T).view(m, h, w, 2, 2, 2, 2)
            logits[:, 4 * start : 4 * end] = made.permute(0, 1, 3, 5, 2, 4, 6).reshape(m, 4 * h, w4)
            start = end
        return logits


def _upscaled(x: Band, to: Matrix, skip: Float[Tensor, "*places o"], room: Float[Tensor, " n"]) -> Float[Tensor, "q o"]:
    """A transposed convolution and its skip, in ``room``: a product into new memory and a sum after it take longer."""
    weight, bias = to
    y = torch.add(skip, bias, out=room[: skip.numel()].view(skip.shape))
    return y.view(len(x), -1).addmm_(x, weight).view(-1, len(bias))


def _asked(look: Attention, tokens: Tokens) -> Asked:
    """Queries of tokens, as places are compared with them; a key's bias changes no softmax over places."""
    query = look.split(look.query(tokens))  # [b heads n d]
    return (query * query.shape[-1] ** -0.5 @ _by_head(look.key, look.heads)).flatten(1, 2)


def _seen(look: Attention, scores: list[Float[Tensor, "ht hw"]], images: list[Bands]) -> Tokens:
    """What tokens read of the image."""
    means = [_mean(scored.softmax(1), bands) for scored, bands in zip(scores, images, strict=True)]
    heads = torch.stack(means).unflatten(1, (look.heads, -1)) @ _by_head(look.value, look.heads).mT  # [b heads n d]
    return look.out(heads.transpose(1, 2).flatten(2) + look.value.bias)


def _mean(weights: Float[Tensor, "ht hw"], bands: Bands) -> Float[Tensor, "ht c"]:
    parts = weights.split([len(x) for x in bands], 1)
    mean = parts[0] @ bands[0]
    for part, x in zip(parts[1:], bands[1:], strict=True):
        mean.addmm_(part, x)
    return mean


def _answers(layer: TwoWayLayer, key: Tokens, value: Tokens) -> list[_Answers]:
    """What the places of each object read."""
    attention, heads = layer.image_to_token, layer.image_to_token.heads
    k, v = attention.split(attention.key(key)), attention.split(attention.value(value))  # [b heads n d]
    k = k * k.shape[-1] ** -0.5
    keys = (k @ _by_head(attention.query, heads)).flatten(1, 2)
    offsets = (k @ attention.query.bias.view(heads, -1, 1)).flatten(1, 2)
    values = (v @ attention.out.weight.T.unflatten(0, (heads, -1)) + attention.out.bias / heads).flatten(1, 2)
    return [_Answers(*one, norm=layer.norm4, heads=heads) for one in zip(keys, offsets, values, strict=True)]


def _by_head(linear: nn.Linear, heads: int) -> Float[Tensor, "heads d c"]:
    return linear.weight.unflatten(0, (heads, -1))


def _bands(x: Float[Tensor, "c h w"]) -> Bands:
    """Whole rows, about :data:`BAND` places, channels last."""
    rows = x.permute(1, 2, 0).split(max(BAND // x.shape[2], 1))
    return [band.flatten(0, 1).contiguous() for band in rows]


def _matrix(conv: nn.ConvTranspose2d) -> Matrix:
    """A transposed convolution of 2x2 and stride 2 as a matrix to [y x o]."""
    assert conv.bias is not None
    return conv.weight.permute(0, 2, 3, 1).flatten(1).contiguous(), conv.bias
