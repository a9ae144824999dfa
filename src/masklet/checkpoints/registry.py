"""Names of the models that can be loaded, where their weights come from, and the scores that were published.

Sources: addresses, licences and scores are those of the official release; LVOSv2, MOSE and SA-V scores are J&F with the
mask of the first frame.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from ..model.config import CONFIGS, ModelConfig

_SERVER = "https://dl.fbaipublicfiles.com/segment_anything_2"
_LICENSE = "Apache-2.0"
_NANO_LICENSE = "code Apache-2.0; weights: trained on research data, see docs/nano.md"
_DEFAULT_VERSION = "sam2.1"


@dataclass(frozen=True)
class Scores:
    """Published J&F in percent."""

    sav_test: float
    mose_val: float
    lvos_v2: float


@dataclass(frozen=True)
class Entry:
    """One model that has a name.

    Attributes:
        name: Key of its configuration.
        parameters: Trainable numbers.
        license: SPDX name of the licence of the weights, or what is to be known where no single licence holds.
        url: Official file; None for weights inside the package.
        repository: Hugging Face id; None for weights inside the package.
        scores: Published by its authors; None where nobody has.
    """

    name: str
    parameters: int
    license: str
    url: str | None = None
    repository: str | None = None
    scores: Scores | None = None

    @property
    def config(self) -> ModelConfig:
        """Its configuration."""
        return CONFIGS[self.name]

    @property
    def shipped(self) -> bool:
        """Whether the weights are inside the package."""
        return self.url is None

    @property
    def file_name(self) -> str:
        """Base name of its weight file."""
        return f"{self.name}.safetensors" if self.url is None else self.url.rsplit("/", 1)[1]


def _official(version: str, size: str, parameters: int, *scores: float) -> Entry:
    name = f"{version}_hiera_{size}"
    folder = {"sam2": "072824", "sam2.1": "092824"}[version]
    repository = f"facebook/{name.replace('_', '-')}"
    return Entry(name, parameters, _LICENSE, f"{_SERVER}/{folder}/{name}.pt", repository, Scores(*scores))


_ENTRIES = (
    Entry("nano", 4_621_906, _NANO_LICENSE),
    _official("sam2.1", "tiny", 38_962_498, 76.5, 71.8, 77.3),
    _official("sam2.1", "small", 46_060_354, 76.6, 73.5, 78.3),
    _official("sam2.1", "base_plus", 80_850_178, 78.2, 73.7, 78.2),
    _official("sam2.1", "large", 224_446_642, 79.5, 74.6, 80.6),
    _official("sam2", "tiny", 38_945_986, 75.0, 70.9, 75.3),
    _official("sam2", "small", 46_043_842, 74.9, 71.5, 76.4),
    _official("sam2", "base_plus", 80_833_666, 74.7, 72.8, 75.8),
    _official("sam2", "large", 224_430_130, 76.0, 74.6, 79.8),
)
REGISTRY: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}
"""Every named model, by its name."""

_ALIAS = re.compile(r"(?:(?P<version>sam2(?:\.1)?)_)?(?:hiera_)?(?P<size>tiny|small|base_plus|base\+|b\+|large)")


def find(name: str) -> Entry | None:
    """The entry of a name, an alias (``tiny``, ``sam2.1-hiera-tiny``) or an official Hugging Face id; None if unknown.

    An alias without a version means 2.1.
    """
    plain = name.strip().lower().removeprefix("facebook/").replace("-", "_")
    if plain in REGISTRY:
        return REGISTRY[plain]
    match = _ALIAS.fullmatch(plain)
    if match is None:
        return None
    size = match["size"] if match["size"] not in ("base+", "b+") else "base_plus"
    return REGISTRY[f"{match['version'] or _DEFAULT_VERSION}_hiera_{size}"]


def entry(name: str) -> Entry:
    """The entry of a name, an alias or an official Hugging Face id.

    Raises:
        ValueError: If there is none; the message lists names that are close.
    """
    found = find(name)
    if found is None:
        plain = name.strip().lower().removeprefix("facebook/").replace("-", "_")
        near = get_close_matches(plain, REGISTRY, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"the names are {', '.join(REGISTRY)}"
        raise ValueError(f"got {name!r}, which is no model, file, folder or Hugging Face id; {hint}")
    return found
