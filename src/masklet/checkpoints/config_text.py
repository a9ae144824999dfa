"""A model's configuration as text inside its weight file: what shapes cannot tell (heads, windows, rotary base)."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from ..model.config import CONFIGS, EfficientNetConfig, HieraConfig, ModelConfig, with_image_size

ENTRY = "masklet"
"""The entry of a safetensors file's metadata, or of a ``.pt`` file's outer dict, that holds the text."""

_TRUNKS: dict[str, type[HieraConfig] | type[EfficientNetConfig]] = {
    "hiera": HieraConfig,
    "efficientnet": EfficientNetConfig,
}


def name_of(config: ModelConfig) -> str | None:
    """The name of a configuration, at any image size; None when it has none."""
    for name, known in CONFIGS.items():
        if with_image_size(known, config.image_size) == config:
            return name
    return None


def write(config: ModelConfig) -> str:
    """A configuration as JSON, with its name where it has one."""
    values = dataclasses.asdict(config)
    kind = next(kind for kind, trunk in _TRUNKS.items() if isinstance(config.trunk, trunk))
    values["trunk"] = {"kind": kind, **values["trunk"]}
    return json.dumps({"model": name_of(config), "config": values})


def read(text: str) -> ModelConfig:
    """A configuration from what :func:`write` wrote, or from a bare name.

    Raises:
        ValueError: If the text is neither.
    """
    if text in CONFIGS:
        return CONFIGS[text]
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"got {text[:60]!r}; expected a configuration as JSON or one of {', '.join(CONFIGS)}"
        ) from error
    if isinstance(content, dict) and "config" not in content and content.get("model") in CONFIGS:
        return CONFIGS[content["model"]]
    try:
        values = _tuples(dict(content["config"]))
        trunk = dict(values.pop("trunk"))
        return ModelConfig(trunk=_TRUNKS[trunk.pop("kind")](**trunk), **values)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"got a configuration that this version of masklet cannot read ({error}); "
            "it may come from a later version: update masklet"
        ) from error


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    return {key: _tuples(item) for key, item in value.items()} if isinstance(value, dict) else value
