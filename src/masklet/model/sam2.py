"""SAM 2 as four calls, the same in inference and in training (paper, section 4).

``encode_image`` -> ``predict`` -> ``encode_memory``, with a :class:`~masklet.model.memory_bank.MemoryBank` of the
caller's between them. The model is pure: it keeps nothing from one call to the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..structures import FrameFeatures, MemoryEntry, Prediction, Prompts, Selection
from . import candidates, presence
from .click_features import ClickFeatures
from .config import ModelConfig
from .image_encoder import ImageEncoder
from .layers import MLP
from .mask_decoder import Decoded, MaskDecoder
from .memory_attention import MemoryAttention
from .memory_bank import BankLimits
from .memory_encoder import MemoryEncoder, scale_mask
from .memory_tokens import MemoryTokens
from .precision import in_own_precision
from .prompt_encoder import PADDING, PromptEncoder
from .recurrent_memory import RecurrentMemory

GIVEN_MASK_SCALE, GIVEN_MASK_BIAS = 20.0, -10.0

Decode = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor | None], Decoded]
"""What a mask decoder does."""
Remember = Callable[[Tensor, Tensor], Tensor]
"""What a memory encoder does."""


class Sam2(nn.Module):
    """The model; build it with :func:`build`, load weights with :func:`masklet.load`.

    Attributes:
        config: Its shape.
        precision: What it computes in (:mod:`~masklet.model.precision`); None: in the type of the weights, or as an
            autocast around it says.
    """

    def __init__(self, config: ModelConfig, *, drop_path: float = 0.0, dropout: float = 0.0) -> None:
        super().__init__()
        width, narrow = config.width, config.memory_width
        later = config.version == "2.1"
        self.config = config
        self.precision: torch.dtype | None = None
        self.image_encoder = ImageEncoder(config, drop_path)
        self.prompt_encoder = PromptEncoder(width)
        self.click_features = ClickFeatures(width, config.decoder_skips[1]) if config.click_features else None
        self.mask_decoder = MaskDecoder(width, config.decoder_skips, config.decoder_hidden)
        self.memory_encoder = MemoryEncoder(width, narrow, config.mask_memory_widths)
        self.memory_tokens = MemoryTokens(width, narrow, config.memories, later, config.prompted_weight)
        self.memory_attention = MemoryAttention(
            width,
            narrow,
            config.attention_layers,
            config.attention_heads,
            config.attention_hidden,
            config.rope_theta,
            dropout,
        )
        self.pointer = MLP((width, width, width, width))
        self.given_mask = nn.Conv2d(1, 1, 4, 4)
        self.no_memory = nn.Parameter(torch.zeros(1, width))
        self.no_memory_position = nn.Parameter(torch.zeros(1, width))  # in every official file, read by nothing
        self.no_object_pointer = nn.Parameter(torch.zeros(1, width))
        self.no_object_memory = nn.Parameter(torch.zeros(1, narrow)) if later else None
        for code in (self.no_memory, self.no_object_pointer, self.no_object_memory):
            if code is not None:
                nn.init.trunc_normal_(code, std=0.02)
        # Last, so that the other weights of a seed do not depend on it.
        self.recurrent_memory = RecurrentMemory(narrow) if config.recurrent_memory else None

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.no_memory.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights; what comes in is brought to it."""
        return self.no_memory.dtype

    @property
    def full_precision_on_cpu(self) -> bool:
        """Whether it computes on a CPU in at least single precision, for which there are faster ways to the same."""
        exact = (torch.float32, torch.float64)
        return self.device.type == "cpu" and self.dtype in exact and self.precision in (None, torch.float32)

    @property
    def limits(self) -> BankLimits:
        """How much of the past this model was trained to read."""
        memories, pointers = self.config.memories, self.config.pointers
        return BankLimits(memories - 1, pointers - 1, pointer_span=max(pointers - 1, 1))

    @in_own_precision
    def encode_image(self, image: Float[Tensor, "b 3 h w"]) -> FrameFeatures:
        """Features of normalised images, once per frame; both sides are multiples of 32."""
        return self.image_encoder(image.to(self.dtype))

    @in_own_precision
    def condition(self, features: FrameFeatures, selection: Selection) -> Float[Tensor, "b c h w"]:
        """The embedding in the light of memory; without memory, plus the no-memory code (an image is a short video)."""
        embedding = features.embedding
        if selection.empty:
            return embedding + self.no_memory[:, :, None, None]
        tokens = self.memory_tokens(selection)
        if embedding.shape[0] != tokens.values.shape[0]:
            embedding = embedding.expand(tokens.values.shape[0], -1, -1, -1)
        return self.memory_attention(embedding, tokens)

    @in_own_precision
    def decode(
        self,
        conditioned: Float[Tensor, "b c h w"],
        features: FrameFeatures,
        prompts: Prompts,
        *,
        ambiguous: bool | None = None,
        stability_fallback: bool = True,
        decoder: Decode | None = None,
    ) -> Prediction:
        """Masks from a conditioned embedding and prompts; a single image serves any number of prompted objects.

        Args:
            conditioned: What :meth:`condition` returned.
            features: The frame's features (for the skips).
            prompts: Points and earlier logits; ``prompts.mask`` is not read here.
            ambiguous: Return three candidates; None: as the official model decides, by the number of points.
            stability_fallback: Let the best of three replace an unstable single mask (off while training).
            decoder: A faster form of the mask decoder; None: the module.
        """
        size = _input_size(conditioned)
        sparse, dense = self.prompt_encoder(prompts, size)
        skip8, skip4 = features.skip8, features.skip4
        if self.click_features is not None and sparse is not None and not _only_padding(prompts):
            sparse = sparse + self.click_features.tokens(_rows(conditioned, sparse.shape[0]), prompts, size)
            coarse, fine = self.click_features.maps(prompts, size)
            conditioned, skip4 = conditioned + coarse, skip4 + fine
        image = conditioned + dense
        if sparse is not None:
            image = _rows(image, sparse.shape[0])
        code = self.prompt_encoder.position.map(*conditioned.shape[-2:])
        masks, iou, present, tokens = (decoder or self.mask_decoder)(image, code, skip8, skip4, sparse)
        choice = candidates.choose(
            masks,
            iou,
            tokens,
            ambiguous=candidates.is_ambiguous(prompts.count) if ambiguous is None else ambiguous,
            stability_fallback=stability_fallback and not self.training,
        )
        return Prediction(
            logits=presence.gate_logits(choice.logits, present),
            iou=choice.iou,
            presence=present,
            pointer=presence.gate_pointer(self.pointer(choice.token), present, self.no_object_pointer),
            candidates=choice.candidates,
            candidate_iou=choice.candidate_iou,
            masks=masks,
            masks_iou=iou,
        )

    @in_own_precision
    def adopt_mask(
        self, features: FrameFeatures, mask: Float[Tensor, "b 1 h w"], *, decoder: Decode | None = None
    ) -> Prediction:
        """Take a given binary mask as the answer; the decoder only makes the pointer, from the raw embedding.

        Parity: sam2/modeling/sam2_base.py:415-465.
        """
        height, width = _input_size(features.embedding)
        if mask.shape[-2:] != (height, width):
            got = tuple(mask.shape[-2:])
            raise ValueError(f"a given mask must be {height} x {width} (the model's input), got {got}")
        mask = mask.float()
        logits = F.interpolate(
            mask * GIVEN_MASK_SCALE + GIVEN_MASK_BIAS, scale_factor=0.25, mode="bilinear", antialias=True
        )
        prompts = replace(no_prompt(mask.shape[0], mask.device), previous_logits=self.given_mask(mask.to(self.dtype)))
        seen = self.decode(features.embedding, features, prompts, ambiguous=False, decoder=decoder)
        present = mask.flatten(1).amax(1) > 0
        score = torch.where(present, presence.CERTAIN, -presence.CERTAIN)
        ones = torch.ones_like(score)
        return Prediction(
            logits=logits,
            iou=ones,
            presence=score,
            pointer=presence.gate_pointer(seen.pointer, score, self.no_object_pointer),
            candidates=logits,
            candidate_iou=ones[:, None],
            from_prompt=True,
        )

    def predict(
        self,
        features: FrameFeatures,
        memory: Selection | Float[Tensor, "b c h w"],
        prompts: Prompts | None = None,
        *,
        stability_fallback: bool = True,
        decoder: Decode | None = None,
    ) -> Prediction:
        """Masks of a frame: a given mask is adopted, anything else is decoded in the light of memory.

        Args:
            features: The frame's features.
            memory: What may be read, or the embedding that was conditioned on it already.
            prompts: What the user says of the frame; None: nothing.
            stability_fallback: As in :meth:`decode`.
            decoder: As in :meth:`decode`.
        """
        if prompts is not None and prompts.mask is not None:
            return self.adopt_mask(features, prompts.mask, decoder=decoder)
        conditioned = memory if isinstance(memory, Tensor) else self.condition(features, memory)
        asked = no_prompt(conditioned.shape[0], conditioned.device) if prompts is None else prompts
        prediction = self.decode(conditioned, features, asked, stability_fallback=stability_fallback, decoder=decoder)
        return replace(prediction, from_prompt=prompts is not None)

    @in_own_precision
    def encode_memory(
        self,
        features: FrameFeatures,
        prediction: Prediction,
        previous: Float[Tensor, "b m h w"] | None = None,
        *,
        binarize: bool = False,
        encoder: Remember | None = None,
    ) -> MemoryEntry:
        """What to remember of a frame.

        Args:
            features: The frame's features.
            prediction: The answer to remember.
            previous: Memory map of the frame before, which only recurrent memory reads; None: there is none.
            binarize: Sharpen the masks of prompted frames (official in tracking).
            encoder: A faster form of the memory encoder; None: the module.
        """
        size = _input_size(features.embedding)
        mask = scale_mask(prediction.logits, size, binarize and prediction.from_prompt)
        memory = (encoder or self.memory_encoder)(features.embedding, mask.to(features.embedding.dtype))
        if self.no_object_memory is not None:
            memory = presence.mark_absent(memory, prediction.presence, self.no_object_memory)
        if self.recurrent_memory is not None:
            memory = self.recurrent_memory(memory, previous)
        return MemoryEntry(memory, prediction.pointer)


def no_prompt(objects: int, device: torch.device) -> Prompts:
    """What the decoder sees of an object that is only tracked: one padding point."""
    return Prompts(
        points=torch.zeros(objects, 1, 2, device=device),
        labels=torch.full((objects, 1), PADDING, dtype=torch.long, device=device),
    )


def _input_size(embedding: Float[Tensor, "b c h w"]) -> tuple[int, int]:
    """Height and width of the input of a stride-16 map."""
    return 16 * embedding.shape[-2], 16 * embedding.shape[-1]


def _only_padding(prompts: Prompts) -> bool:
    """Whether it is known that there are no points: in an inference on a CPU, where looking costs nothing.

    Training draws maps of zeros, whose weights then have gradients of zero, which distributed training waits for.
    """
    if not torch.is_inference_mode_enabled() or prompts.labels is None or prompts.labels.device.type != "cpu":
        return False
    return bool((prompts.labels < 0).all())


def _rows(x: Tensor, n: int) -> Tensor:
    return x if x.shape[0] == n else x.expand(n, -1, -1, -1)


def build(config: ModelConfig, *, drop_path: float = 0.0, dropout: float = 0.0) -> Sam2:
    """A model with random weights, in evaluation mode."""
    return Sam2(config, drop_path=drop_path, dropout=dropout).eval()
