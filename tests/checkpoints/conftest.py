from __future__ import annotations

from pathlib import Path

import pytest
import torch

from golden_weights import keys, state
from masklet.checkpoints.load import save
from masklet.model.config import CONFIGS
from masklet.model.sam2 import Sam2, build


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees or fills the caches of the machine, or its network."""
    monkeypatch.setenv("MASKLET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf"))
    for name in (
        "MASKLET_OFFLINE",
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def nano() -> Sam2:
    torch.manual_seed(0)
    return build(CONFIGS["nano"])


@pytest.fixture(scope="session")
def nano_file(nano: Sam2, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(nano, tmp_path_factory.mktemp("nano") / "weights.safetensors")


@pytest.fixture(scope="session")
def tiny_state() -> dict[str, torch.Tensor]:
    """The official state of 2.1 tiny."""
    return state(keys("sam2.1_hiera_tiny"))


@pytest.fixture(scope="session")
def tiny_file(tiny_state: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the official files are: the state under ``model``."""
    path = tmp_path_factory.mktemp("tiny") / "sam2.1_hiera_tiny.pt"
    torch.save({"model": tiny_state}, path)
    return path
