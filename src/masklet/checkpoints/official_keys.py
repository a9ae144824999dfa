"""Key table: our names <-> the names of the official files.

Names from the published checkpoints, which keep the state under ``model`` in a ``.pt`` file.
"""

from __future__ import annotations

OFFICIAL: tuple[tuple[str, str], ...] = (
    # ours, official
    ("memory_tokens.time", "maskmem_tpos_enc"),
    ("memory_tokens.pointer_time", "obj_ptr_tpos_proj"),
    ("no_memory_position", "no_mem_pos_enc"),
    ("no_memory", "no_mem_embed"),
    ("no_object_pointer", "no_obj_ptr"),
    ("no_object_memory", "no_obj_embed_spatial"),
    ("pointer.layers.{}", "obj_ptr_proj.layers.{}"),
    ("given_mask", "mask_downsample"),
    ("image_encoder.trunk.position", "image_encoder.trunk.pos_embed"),
    ("image_encoder.trunk.window_position", "image_encoder.trunk.pos_embed_window"),
    ("image_encoder.trunk.patch", "image_encoder.trunk.patch_embed.proj"),
    ("image_encoder.trunk.blocks.{}.attention.qkv", "image_encoder.trunk.blocks.{}.attn.qkv"),
    ("image_encoder.trunk.blocks.{}.attention.out", "image_encoder.trunk.blocks.{}.attn.proj"),
    ("image_encoder.trunk.blocks.{}.mlp.layers.{}", "image_encoder.trunk.blocks.{}.mlp.layers.{}"),
    ("image_encoder.trunk.blocks.{}.shortcut", "image_encoder.trunk.blocks.{}.proj"),
    ("image_encoder.trunk.blocks.{}.norm{}", "image_encoder.trunk.blocks.{}.norm{}"),
    ("image_encoder.neck.laterals.0", "image_encoder.neck.convs.3.conv"),
    ("image_encoder.neck.laterals.1", "image_encoder.neck.convs.2.conv"),
    ("image_encoder.neck.laterals.2", "image_encoder.neck.convs.1.conv"),
    ("image_encoder.neck.laterals.3", "image_encoder.neck.convs.0.conv"),
    ("image_encoder.neck.skip4", "sam_mask_decoder.conv_s0"),
    ("image_encoder.neck.skip8", "sam_mask_decoder.conv_s1"),
    ("memory_attention.layers.{}.self_attention.query", "memory_attention.layers.{}.self_attn.q_proj"),
    ("memory_attention.layers.{}.self_attention.key", "memory_attention.layers.{}.self_attn.k_proj"),
    ("memory_attention.layers.{}.self_attention.value", "memory_attention.layers.{}.self_attn.v_proj"),
    ("memory_attention.layers.{}.self_attention.out", "memory_attention.layers.{}.self_attn.out_proj"),
    ("memory_attention.layers.{}.cross_attention.query", "memory_attention.layers.{}.cross_attn_image.q_proj"),
    ("memory_attention.layers.{}.cross_attention.key", "memory_attention.layers.{}.cross_attn_image.k_proj"),
    ("memory_attention.layers.{}.cross_attention.value", "memory_attention.layers.{}.cross_attn_image.v_proj"),
    ("memory_attention.layers.{}.cross_attention.out", "memory_attention.layers.{}.cross_attn_image.out_proj"),
    ("memory_attention.layers.{}.mlp.layers.0", "memory_attention.layers.{}.linear1"),
    ("memory_attention.layers.{}.mlp.layers.1", "memory_attention.layers.{}.linear2"),
    ("memory_attention.layers.{}.norm{}", "memory_attention.layers.{}.norm{}"),
    ("memory_attention.norm", "memory_attention.norm"),
    ("memory_encoder.mask.convs.0", "memory_encoder.mask_downsampler.encoder.0"),
    ("memory_encoder.mask.norms.0", "memory_encoder.mask_downsampler.encoder.1"),
    ("memory_encoder.mask.convs.1", "memory_encoder.mask_downsampler.encoder.3"),
    ("memory_encoder.mask.norms.1", "memory_encoder.mask_downsampler.encoder.4"),
    ("memory_encoder.mask.convs.2", "memory_encoder.mask_downsampler.encoder.6"),
    ("memory_encoder.mask.norms.2", "memory_encoder.mask_downsampler.encoder.7"),
    ("memory_encoder.mask.convs.3", "memory_encoder.mask_downsampler.encoder.9"),
    ("memory_encoder.mask.norms.3", "memory_encoder.mask_downsampler.encoder.10"),
    ("memory_encoder.mask.out", "memory_encoder.mask_downsampler.encoder.12"),
    ("memory_encoder.image", "memory_encoder.pix_feat_proj"),
    ("memory_encoder.fuser.{}.depthwise", "memory_encoder.fuser.layers.{}.dwconv"),
    ("memory_encoder.fuser.{}.norm", "memory_encoder.fuser.layers.{}.norm"),
    ("memory_encoder.fuser.{}.expand", "memory_encoder.fuser.layers.{}.pwconv1"),
    ("memory_encoder.fuser.{}.contract", "memory_encoder.fuser.layers.{}.pwconv2"),
    ("memory_encoder.fuser.{}.scale", "memory_encoder.fuser.layers.{}.gamma"),
    ("memory_encoder.out", "memory_encoder.out_proj"),
    ("prompt_encoder.position.matrix", "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"),
    ("prompt_encoder.labels_embedding.{}", "sam_prompt_encoder.point_embeddings.{}.weight"),
    ("prompt_encoder.padding_embedding", "sam_prompt_encoder.not_a_point_embed.weight"),
    ("prompt_encoder.no_mask_embedding", "sam_prompt_encoder.no_mask_embed.weight"),
    ("prompt_encoder.dense.{}", "sam_prompt_encoder.mask_downscaling.{}"),
    ("mask_decoder.presence_token", "sam_mask_decoder.obj_score_token.weight"),
    ("mask_decoder.iou_token", "sam_mask_decoder.iou_token.weight"),
    ("mask_decoder.mask_tokens", "sam_mask_decoder.mask_tokens.weight"),
    *(
        (f"mask_decoder.transformer.{a}.{ours}", f"sam_mask_decoder.transformer.{b}.{theirs}")
        for a, b in (
            ("layers.{}.self_attention", "layers.{}.self_attn"),
            ("layers.{}.token_to_image", "layers.{}.cross_attn_token_to_image"),
            ("layers.{}.image_to_token", "layers.{}.cross_attn_image_to_token"),
            ("token_to_image", "final_attn_token_to_image"),
        )
        for ours, theirs in (("query", "q_proj"), ("key", "k_proj"), ("value", "v_proj"), ("out", "out_proj"))
    ),
    ("mask_decoder.transformer.layers.{}.mlp.layers.{}", "sam_mask_decoder.transformer.layers.{}.mlp.layers.{}"),
    ("mask_decoder.transformer.layers.{}.norm{}", "sam_mask_decoder.transformer.layers.{}.norm{}"),
    ("mask_decoder.transformer.norm", "sam_mask_decoder.transformer.norm_final_attn"),
    ("mask_decoder.upscaler.to8", "sam_mask_decoder.output_upscaling.0"),
    ("mask_decoder.upscaler.norm", "sam_mask_decoder.output_upscaling.1"),
    ("mask_decoder.upscaler.to4", "sam_mask_decoder.output_upscaling.3"),
    ("mask_decoder.mask_heads.{}.layers.{}", "sam_mask_decoder.output_hypernetworks_mlps.{}.layers.{}"),
    ("mask_decoder.iou_head.layers.{}", "sam_mask_decoder.iou_prediction_head.layers.{}"),
    ("mask_decoder.presence_head.layers.{}", "sam_mask_decoder.pred_obj_score_head.layers.{}"),
)

LENGTHENED = {"maskmem_tpos_enc": (-1, 1, 1), "no_mem_embed": (1, 1), "no_mem_pos_enc": (1, 1)}
"""Leading axes that official tensors have where ours have one."""
