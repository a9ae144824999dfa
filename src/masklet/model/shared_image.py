"""The image side of the two-way transformer for many prompts on one image: what no prompt changes is computed once.

Prompts change the image side only through its attention to a few tokens, and a layer norm after it. So, before and
after each exchange, the map of a prompt is at every place ``p``

    image(p) = scale(p) * shared(p) + factors @ rows(p) + constant

where ``shared`` and ``constant`` are those of all prompts, ``rows`` are the attention weights of the exchanges so far
(heads x tokens of them in each), and the columns of ``factors`` are the tokens' projected values. Linear maps are taken
of ``shared`` once and of the few columns of ``factors`` for each prompt; a layer norm centres both beforehand and then
only divides ``scale`` and ``rows`` by the deviation of each place, which their inner products give. Neither the
image, nor its keys, values and queries are ever made for a prompt. This is exact but for rounding; the readable
reference is :mod:`~masklet.model.two_way`. For inference: nothing here has gradients.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .attention import Attention
from .two_way import TwoWayLayer, TwoWayTransformer

Heads = Float[Tensor, "heads n d"]
Scores = Float[Tensor, "heads n hw"]


@dataclass(frozen=True)
class PromptedImage:
    """The map of one prompt in parts, see above.

    Attributes:
        space: Room for all rows there will be; steps write into it, so only the last image is valid.
        factors: What the rows so far multiply.
        values: Tokens' values of each exchange so far, from which the factors were made.
        scale: What the shared map is multiplied by; None, before the first norm: 1.
    """

    space: Float[Tensor, "most hw"]
    factors: Float[Tensor, "c r"]
    values: tuple[Heads, ...] = ()
    scale: Float[Tensor, " hw"] | None = None

    @property
    def rows(self) -> Float[Tensor, "r hw"]:
        """Coefficients of each place."""
        return self.space[: self.factors.shape[1]]


@dataclass(frozen=True)
class Projection:
    """A linear map of the image side, split into heads.

    Attributes:
        weight: Its matrix.
        shared: The shared map, projected.
        fixed: What is added to it: bias, constant, position code; None: is in ``shared``, which nothing scales yet.
    """

    weight: Float[Tensor, "i c"]
    shared: Float[Tensor, "heads d hw"]
    fixed: Float[Tensor, "heads d #hw"] | None

    @classmethod
    def of(cls, linear: nn.Linear, heads: int, shared: Tensor, constant: Tensor, first: bool) -> Projection:
        """Project the shared map and what is added to it."""
        moved, fixed = linear.weight @ shared, linear.weight @ constant + linear.bias[:, None]
        if first:
            return cls(linear.weight, (moved + fixed).unflatten(0, (heads, -1)), None)
        return cls(linear.weight, moved.unflatten(0, (heads, -1)), fixed.unflatten(0, (heads, -1)))

    def scores(self, tokens: Heads, image: PromptedImage) -> Scores:
        """Inner products of tokens with every place."""
        scores = tokens @ self.shared
        if self.fixed is not None:
            assert image.scale is not None
            scores = torch.addcmul(tokens @ self.fixed, scores, image.scale)
        columns = tokens @ (self.weight @ image.factors).view(*self.shared.shape[:2], -1)  # [heads n r]
        scores.flatten(0, 1).addmm_(columns.flatten(0, 1), image.rows)
        return scores

    def mean(self, weights: Scores, image: PromptedImage) -> Heads:
        """Weighted means over all places; weights sum to 1."""
        mixed = (weights.flatten(0, 1) @ image.rows.T).unflatten(0, weights.shape[:2])  # [heads n r]
        mean = mixed @ (self.weight @ image.factors).view(*self.shared.shape[:2], -1).mT
        if self.fixed is None:
            return mean + weights @ self.shared.mT
        assert image.scale is not None
        return mean + (weights * image.scale) @ self.shared.mT + self.fixed.mT


@dataclass(frozen=True)
class SharedNorm:
    """A layer norm of the image side.

    Attributes:
        gain: Its weight.
        eps: Its epsilon.
        power: Mean square of the centred shared map.
        products: Twice the mean product of that map with each channel that factors are made of: click maps, the
            exchanges so far, the constant.
        constant: What was added to the image since the last norm; None, before the first: it is in the shared map.
    """

    gain: Float[Tensor, "c 1"]
    eps: float
    power: Float[Tensor, " hw"]
    products: tuple[Float[Tensor, "_ hw"], ...]
    constant: Float[Tensor, "c 1"] | None

    def __call__(self, image: PromptedImage) -> PromptedImage:
        """Normalise each place."""
        if self.constant is not None:
            image = replace(image, factors=torch.cat((image.factors, self.constant), 1))
            image.rows[-1] = 1
        rows, factors = image.rows, image.factors - image.factors.mean(0)
        cross = self._products(image)
        power = self.power
        if image.scale is not None:
            cross, power = cross.mul_(image.scale), power * image.scale**2
        cross.addmm_(factors.T @ factors, rows, alpha=1 / len(factors))
        inverse = (power + cross.mul_(rows).sum(0)).clamp_(min=0).add_(self.eps).rsqrt_()
        rows.mul_(inverse)
        scale = inverse if image.scale is None else image.scale * inverse
        return replace(image, factors=self.gain * factors, scale=scale)

    def _products(self, image: PromptedImage) -> Float[Tensor, "r hw"]:
        """Twice the mean product of the shared map with each factor."""
        drawn, *exchanges = self.products
        made = torch.empty_like(image.rows)
        end = len(drawn)
        made[:end] = drawn
        for k, product in enumerate(exchanges):
            if k < len(image.values):
                values = image.values[k]
                heads, n, _ = values.shape
                start, end = end, end + heads * n
                torch.bmm(values, product.unflatten(0, (heads, -1)), out=made[start:end].view(heads, n, -1))
            else:
                made[end:] = product
        return made


@dataclass(frozen=True)
class SharedLayer:
    """The image side of one exchange: keys and values that tokens read, queries that read tokens, and the norm."""

    keys: Projection
    values: Projection
    queries: Projection
    out: nn.Linear
    norm: SharedNorm

    @property
    def heads(self) -> int:
        """Heads of the attention."""
        return len(self.queries.shared)

    def read_tokens(self, keys: Heads, values: Heads, image: PromptedImage) -> PromptedImage:
        """Let every place attend to the tokens."""
        heads, n, d = values.shape
        out = self.out.weight.view(-1, heads, d).transpose(0, 1)
        factors = (out @ values.mT).transpose(0, 1).flatten(1)  # [c heads*n]
        scores = self.queries.scores(keys, image)
        image = replace(image, factors=torch.cat((image.factors, factors), 1), values=(*image.values, values))
        torch.softmax(scores, 1, out=image.rows[-heads * n :].view(heads, n, -1))
        return self.norm(image)


@dataclass(frozen=True)
class SharedImage:
    """The image side of a two-way transformer.

    Attributes:
        layers: Of each exchange.
        keys: Of the last look of the tokens at the image.
        values: Of that look.
        shared: The shared map in the end.
        constant: What is added to it.
        drawn: Channels that click maps are drawn in (none in official models).
    """

    layers: tuple[SharedLayer, ...]
    keys: Projection
    values: Projection
    shared: Float[Tensor, "c hw"]
    constant: Float[Tensor, "c 1"]
    drawn: Float[Tensor, "c k"]

    def prompted(self, maps: Float[Tensor, "b k hw"], tokens: int) -> list[PromptedImage]:
        """Images of prompts before the first exchange: the shared map, and click maps drawn on it.

        Args:
            maps: Click maps of each prompt.
            tokens: How many tokens each has.
        """
        b, k, places = maps.shape
        rows = k + sum(tokens * layer.heads + (layer.norm.constant is not None) for layer in self.layers)
        space = maps.new_empty(b, rows, places)
        space[:, :k] = maps
        return [PromptedImage(one, self.drawn) for one in space]


def share(
    transformer: TwoWayTransformer,
    image: Float[Tensor, "c hw"],
    code: Float[Tensor, "c hw"],
    drawn: Float[Tensor, "c k"],
) -> SharedImage:
    """Compute what no prompt changes.

    Args:
        transformer: The reference.
        image: The conditioned embedding with the code of a missing mask.
        code: Fourier code of the image's cells.
        drawn: Channels of click maps.
    """
    layers, constant, bases = [], image.new_zeros(len(image), 1), [drawn]
    for k, layer in enumerate(transformer.layers):
        assert isinstance(layer, TwoWayLayer)
        read, write, first = layer.token_to_image, layer.image_to_token, k == 0
        keys, values = _read(read, image, code, constant, first)
        queries = Projection.of(write.query, write.heads, image, code + constant, first)
        constant = constant + write.out.bias[:, None]
        bases.append(write.out.weight)
        if first:
            image = image + constant
        image = image - image.mean(0)
        centred = [base - base.mean(0) for base in (bases if first else [*bases, constant])]
        products = tuple(base.T @ image * (2 / len(image)) for base in centred)
        gain = layer.norm4.weight[:, None]
        added = None if first else constant
        norm = SharedNorm(gain, layer.norm4.eps, image.square().mean(0), products, added)
        layers.append(SharedLayer(keys, values, queries, write.out, norm))
        image, bases, constant = gain * image, [gain * base for base in centred], layer.norm4.bias[:, None]
    keys, values = _read(transformer.token_to_image, image, code, constant, False)
    return SharedImage(tuple(layers), keys, values, image, constant, drawn)


def _read(
    attention: Attention, image: Tensor, code: Tensor, constant: Tensor, first: bool
) -> tuple[Projection, Projection]:
    keys = Projection.of(attention.key, attention.heads, image, code + constant, first)
    return keys, Projection.of(attention.value, attention.heads, image, constant, first)
