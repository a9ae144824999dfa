"""``config.json`` of a ``Sam2VideoModel``, as transformers 5.18 reads it, for our configurations."""

from __future__ import annotations

from typing import Any

from ..model.config import HieraConfig, ModelConfig


def transformers_config(config: ModelConfig) -> dict[str, Any]:
    """The content of ``config.json`` for a model with a Hiera trunk.

    Every field of the mask decoder is written out: transformers 5.18 has no defaults for them once the file is read.

    Raises:
        ValueError: If the trunk is not Hiera: transformers has no such model.
    """
    if not isinstance(config.trunk, HieraConfig):
        raise ValueError("transformers has no SAM 2 model with this trunk; save with layout='masklet'")
    trunk, size = config.trunk, config.image_size
    later = config.version == "2.1"
    return {
        "architectures": ["Sam2VideoModel"],
        "model_type": "sam2_video",
        "dtype": "float32",
        "image_size": size,
        "vision_config": {
            "model_type": "sam2_vision_model",
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": trunk.width,
                "num_attention_heads": trunk.heads,
                "image_size": [size, size],
                "blocks_per_stage": list(trunk.blocks),
                "embed_dim_per_stage": list(trunk.stage_widths),
                "num_attention_heads_per_stage": [trunk.heads * 2**i for i in range(4)],
                "window_size_per_stage": list(trunk.windows),
                "global_attention_blocks": list(trunk.global_blocks),
                "window_positional_embedding_background_size": [trunk.position_grid, trunk.position_grid],
            },
            "backbone_channel_list": list(reversed(trunk.stage_widths)),
            "backbone_feature_sizes": [[size // stride, size // stride] for stride in (4, 8, 16)],
            "fpn_hidden_size": config.width,
        },
        "prompt_encoder_config": {"hidden_size": config.width, "image_size": size, "patch_size": 16},
        "mask_decoder_config": {
            "hidden_size": config.width,
            "hidden_act": "gelu",
            "mlp_dim": config.decoder_hidden,
            "num_hidden_layers": 2,
            "num_attention_heads": 8,
            "attention_downsample_rate": 2,
            "num_multimask_outputs": 3,
            "iou_head_depth": 3,
            "iou_head_hidden_dim": config.width,
            "dynamic_multimask_via_stability": True,
            "dynamic_multimask_stability_delta": 0.05,
            "dynamic_multimask_stability_thresh": 0.98,
        },
        "num_maskmem": config.memories,
        "max_object_pointers_in_encoder": config.pointers,
        "enable_occlusion_spatial_embedding": later,
        "enable_temporal_pos_encoding_for_object_pointers": later,
        "memory_attention_hidden_size": config.width,
        "memory_attention_num_layers": config.attention_layers,
        "memory_attention_num_attention_heads": config.attention_heads,
        "memory_attention_feed_forward_hidden_size": config.attention_hidden,
        "memory_attention_rope_feat_sizes": [size // 16, size // 16],
        "rope_parameters": {"rope_theta": config.rope_theta, "rope_type": "axial"},
        "memory_encoder_hidden_size": config.width,
        "memory_encoder_output_channels": config.memory_width,
        "mask_downsampler_embed_dim": config.width,
        "memory_fuser_embed_dim": config.width,
        "memory_fuser_intermediate_dim": 4 * config.width,
    }
