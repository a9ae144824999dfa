"""Key table: our names <-> the names of ``Sam2VideoModel`` and ``Sam2Model`` in transformers.

``Sam2Model`` has the image part alone. Both store the Fourier matrix twice, all four label codes as one tensor, and
name the first and last layer of an MLP apart from those between.
"""

from __future__ import annotations

Row = tuple[str, str]


def _mlp(ours: str, theirs: str, layers: int) -> tuple[Row, ...]:
    names = ["proj_in", *(f"layers.{i}" for i in range(layers - 2)), "proj_out"]
    return tuple((f"{ours}.layers.{i}", f"{theirs}.{name}") for i, name in enumerate(names))


def _attention(ours: str, theirs: str) -> tuple[Row, ...]:
    parts = (("query", "q_proj"), ("key", "k_proj"), ("value", "v_proj"), ("out", "o_proj"))
    return tuple((f"{ours}.{a}", f"{theirs}.{b}") for a, b in parts)


_BLOCK, _THEIR_BLOCK = "image_encoder.trunk.blocks.{}", "vision_encoder.backbone.blocks.{}"
_DECODER = "mask_decoder.transformer"

TRANSFORMERS: tuple[Row, ...] = (
    # ours, theirs
    ("memory_tokens.time", "memory_temporal_positional_encoding"),
    ("memory_tokens.pointer_time", "temporal_positional_encoding_projection_layer"),
    ("no_memory_position", "no_memory_positional_encoding"),
    ("no_memory", "no_memory_embedding"),
    ("no_object_pointer", "no_object_pointer"),
    ("no_object_memory", "occlusion_spatial_embedding_parameter"),
    *_mlp("pointer", "object_pointer_proj", 3),
    ("given_mask", "mask_downsample"),
    ("image_encoder.trunk.position", "vision_encoder.backbone.pos_embed"),
    ("image_encoder.trunk.window_position", "vision_encoder.backbone.pos_embed_window"),
    ("image_encoder.trunk.patch", "vision_encoder.backbone.patch_embed.projection"),
    (f"{_BLOCK}.attention.qkv", f"{_THEIR_BLOCK}.attn.qkv"),
    (f"{_BLOCK}.attention.out", f"{_THEIR_BLOCK}.attn.proj"),
    *_mlp(f"{_BLOCK}.mlp", f"{_THEIR_BLOCK}.mlp", 2),
    (f"{_BLOCK}.shortcut", f"{_THEIR_BLOCK}.proj"),
    (f"{_BLOCK}.norm{{}}", f"{_THEIR_BLOCK}.layer_norm{{}}"),
    *((f"image_encoder.neck.laterals.{i}", f"vision_encoder.neck.convs.{3 - i}") for i in range(4)),
    ("image_encoder.neck.skip4", "mask_decoder.conv_s0"),
    ("image_encoder.neck.skip8", "mask_decoder.conv_s1"),
    *_attention("memory_attention.layers.{}.self_attention", "memory_attention.layers.{}.self_attn"),
    *_attention("memory_attention.layers.{}.cross_attention", "memory_attention.layers.{}.cross_attn_image"),
    ("memory_attention.layers.{}.mlp.layers.0", "memory_attention.layers.{}.linear1"),
    ("memory_attention.layers.{}.mlp.layers.1", "memory_attention.layers.{}.linear2"),
    ("memory_attention.layers.{}.norm{}", "memory_attention.layers.{}.layer_norm{}"),
    ("memory_attention.norm", "memory_attention.layer_norm"),
    ("memory_encoder.mask.convs.{}", "memory_encoder.mask_downsampler.layers.{}.conv"),
    ("memory_encoder.mask.norms.{}", "memory_encoder.mask_downsampler.layers.{}.layer_norm"),
    ("memory_encoder.mask.out", "memory_encoder.mask_downsampler.final_conv"),
    ("memory_encoder.image", "memory_encoder.feature_projection"),
    ("memory_encoder.fuser.{}.depthwise", "memory_encoder.memory_fuser.layers.{}.depthwise_conv"),
    ("memory_encoder.fuser.{}.norm", "memory_encoder.memory_fuser.layers.{}.layer_norm"),
    ("memory_encoder.fuser.{}.expand", "memory_encoder.memory_fuser.layers.{}.pointwise_conv1"),
    ("memory_encoder.fuser.{}.contract", "memory_encoder.memory_fuser.layers.{}.pointwise_conv2"),
    ("memory_encoder.fuser.{}.scale", "memory_encoder.memory_fuser.layers.{}.scale"),
    ("memory_encoder.out", "memory_encoder.projection"),
    ("prompt_encoder.position.matrix", "prompt_encoder.shared_embedding.positional_embedding"),
    ("prompt_encoder.labels_embedding", "prompt_encoder.point_embed.weight"),
    ("prompt_encoder.padding_embedding", "prompt_encoder.not_a_point_embed.weight"),
    ("prompt_encoder.no_mask_embedding", "prompt_encoder.no_mask_embed.weight"),
    ("prompt_encoder.dense.0", "prompt_encoder.mask_embed.conv1"),
    ("prompt_encoder.dense.1", "prompt_encoder.mask_embed.layer_norm1"),
    ("prompt_encoder.dense.3", "prompt_encoder.mask_embed.conv2"),
    ("prompt_encoder.dense.4", "prompt_encoder.mask_embed.layer_norm2"),
    ("prompt_encoder.dense.6", "prompt_encoder.mask_embed.conv3"),
    ("mask_decoder.presence_token", "mask_decoder.obj_score_token.weight"),
    ("mask_decoder.iou_token", "mask_decoder.iou_token.weight"),
    ("mask_decoder.mask_tokens", "mask_decoder.mask_tokens.weight"),
    *_attention(f"{_DECODER}.layers.{{}}.self_attention", f"{_DECODER}.layers.{{}}.self_attn"),
    *_attention(f"{_DECODER}.layers.{{}}.token_to_image", f"{_DECODER}.layers.{{}}.cross_attn_token_to_image"),
    *_attention(f"{_DECODER}.layers.{{}}.image_to_token", f"{_DECODER}.layers.{{}}.cross_attn_image_to_token"),
    *_attention(f"{_DECODER}.token_to_image", f"{_DECODER}.final_attn_token_to_image"),
    *_mlp(f"{_DECODER}.layers.{{}}.mlp", f"{_DECODER}.layers.{{}}.mlp", 2),
    (f"{_DECODER}.layers.{{}}.norm{{}}", f"{_DECODER}.layers.{{}}.layer_norm{{}}"),
    (f"{_DECODER}.norm", f"{_DECODER}.layer_norm_final_attn"),
    ("mask_decoder.upscaler.to8", "mask_decoder.upscale_conv1"),
    ("mask_decoder.upscaler.norm", "mask_decoder.upscale_layer_norm"),
    ("mask_decoder.upscaler.to4", "mask_decoder.upscale_conv2"),
    *_mlp("mask_decoder.mask_heads.{}", "mask_decoder.output_hypernetworks_mlps.{}", 3),
    *_mlp("mask_decoder.iou_head", "mask_decoder.iou_prediction_head", 3),
    *_mlp("mask_decoder.presence_head", "mask_decoder.pred_obj_score_head", 3),
)

LENGTHENED = {
    "memory_temporal_positional_encoding": (-1, 1, 1),
    "no_memory_embedding": (1, 1),
    "no_memory_positional_encoding": (1, 1),
}
"""Leading axes that their tensors have where ours have one."""

MATRIX, MATRIX_AGAIN = (
    "prompt_encoder.shared_embedding.positional_embedding",
    "shared_image_embedding.positional_embedding",
)
"""The Fourier matrix, and its copy; a file may hold either or both."""
