"""Published scores, to be laid beside measured ones: copied from papers and read-me files, never measured here.

The paper is SAM 2, arXiv 2408.00714 version 1; ‡ marks its models that were trained without open VOS data, which are
the released ones. All values are percent, or frames a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedRow:
    """What a source says of one tracker on one data set.

    Attributes:
        tracker: Name in the source.
        data: Data set that it was scored on.
        values: Values by prompt and measure: percent for scores.
        source: Where it stands.
    """

    tracker: str
    data: str
    values: Mapping[str, Mapping[str, float]]
    source: str


_SAME_SUITE = {
    "MOSE val": ("mose", "moseval"),
    "DAVIS 2017 val": ("davis2017", "davis2017val", "davis17", "davis17val"),
    "DAVIS 2017 test": ("davis2017test", "davis2017testdev", "davis17test", "davis17testdev"),
    "LVOS": ("lvos", "lvosv1", "lvosv1val", "lvosval"),
    "LVOS v2": ("lvosv2", "lvosv2val"),
    "SA-V val": ("savval",),
    "SA-V test": ("savtest",),
    "YouTube-VOS 2019": ("youtubevos", "youtubevos2019", "youtubevos2019val", "ytvos", "ytvos2019", "ytvos19"),
}
"""Names of suites, small letters and digits only, by the name of the published data set."""

_MASK_SOURCE = "paper, tables 7 and 17"
_MASK_DATA = tuple(_SAME_SUITE)
_JF = ("J&F", "J", "F")
_G = ("G", "J seen", "F seen", "J unseen", "F unseen")
_MASK_ROWS = (
    ("STCN", 52.5, 85.4, 76.1, None, 60.6, (61.0, 57.4, 64.5), (62.5, 59.0, 66.0), (82.7, 81.1, 85.4, 78.2, 85.9)),
    ("SwinB-AOT", 59.4, 85.4, 81.2, None, None, 51.1, 50.3, 84.5),
    ("SwinB-DeAOT", 59.9, 86.2, 82.8, None, 63.9, (61.4, 56.6, 66.2), (61.8, 57.2, 66.3),
     (86.1, 85.3, 90.2, 80.4, 88.6)),
    ("RDE", 46.8, 84.2, 77.4, None, 62.2, 51.8, 53.9, 81.9),
    ("XMem", 59.6, 86.0, 79.6, None, 64.5, (60.1, 56.3, 63.9), (62.3, 58.9, 65.8), (85.6, 84.1, 88.5, 81.0, 88.9)),
    ("SimVOS-B", None, 88.0, 80.4, None, None, 44.2, 44.1, 84.2),
    ("JointFormer", None, 90.1, 88.1, None, None, None, None, 87.4),
    ("ISVOS", None, 88.2, 84.0, None, None, None, None, 86.3),
    ("DEVA", 66.0, 87.0, 82.6, 55.9, None, 55.4, 56.2, 85.4),
    ("Cutie-base", 69.9, 87.9, 86.1, 66.0, None, (60.7, 57.7, 63.7), (62.7, 59.7, 65.7),
     (87.0, 86.0, 90.5, 82.0, 89.6)),
    ("Cutie-base+", 71.7, 88.1, 88.1, None, None, (61.3, 58.3, 64.4), (62.8, 59.8, 65.8),
     (87.5, 86.3, 90.6, 82.7, 90.5)),
    ("SAM 2 B+", 75.8, 90.9, 88.3, 74.9, 75.8, (73.6, 70.4, 76.9), (74.1, 70.6, 77.5), 88.4),
    ("SAM 2 L", 77.2, 91.6, 89.0, 76.1, 78.1, (75.6, 72.3, 78.9), (77.6, 74.0, 81.1), 89.1),
    ("SAM 2 T ‡", 70.9, 89.2, 86.7, 73.6, 75.3, (73.7, 70.3, 77.1), (75.0, 71.5, 78.5), 87.4),
    ("SAM 2 S ‡", 71.5, 88.8, 86.3, 73.5, 76.4, (72.7, 69.4, 76.0), (74.9, 71.4, 78.4), 87.5),
    ("SAM 2 B+ ‡", 72.8, 88.9, 86.7, 76.2, 75.8, (75.3, 71.8, 78.7), (74.7, 71.2, 78.2), 87.9),
    ("SAM 2 L ‡", 74.6, 89.3, 88.1, 77.9, 79.8, (76.1, 72.9, 79.2), (76.0, 72.6, 79.3), 88.6),
)  # fmt: skip

_CHECKPOINT_SOURCE = "read-me of the official repository"
_CHECKPOINT_DATA = ("SA-V test", "MOSE val", "LVOS v2")
_CHECKPOINTS = (
    # name, frames a second, then J&F on the data sets above
    ("SAM 2.1 tiny", 91.2, 76.5, 71.8, 77.3),
    ("SAM 2.1 small", 84.8, 76.6, 73.5, 78.3),
    ("SAM 2.1 base+", 64.1, 78.2, 73.7, 78.2),
    ("SAM 2.1 large", 39.5, 79.5, 74.6, 80.6),
    ("SAM 2 tiny", 91.5, 75.0, 70.9, 75.3),
    ("SAM 2 small", 85.6, 74.9, 71.5, 76.4),
    ("SAM 2 base+", 64.8, 74.7, 72.8, 75.8),
    ("SAM 2 large", 39.7, 76.0, 74.6, 79.8),
)

SEVENTEEN = "mean of 17 video sets"
_PROMPTS = ("1 click", "3 clicks", "5 clicks", "box", "mask")
_PROMPT_ROWS = (
    ("SAM + XMem++", "paper, table 4", 56.9, 68.4, 70.6, 67.6, 72.7),
    ("SAM + Cutie", "paper, table 4", 56.7, 70.1, 72.2, 69.4, 74.1),
    ("SAM 2", "paper, table 4", 64.3, 73.2, 75.4, 72.9, 77.6),
    ("EfficientTAM-S", "EfficientTAM paper", 63.0, 74.1, 75.7, 73.2, 77.8),
)

_IMAGE_DATA = ("SA-23", "SA-23, image sets", "SA-23, video sets", "14 video sets")
_IMAGE_ROWS = (
    # name, source, then (1 click, 5 clicks) on the data sets above; 5 clicks are not always given
    ("SAM ViT-B", "paper, tables 6 and 15", (55.9, 80.9), (57.4,), (54.0,), (54.5,)),
    ("SAM ViT-H", "paper, tables 6 and 15", (58.1, 81.3), (60.8, 82.1), (54.5, 80.3), (59.1, 83.4)),
    ("HQ-SAM ViT-H", "paper, tables 6 and 15", (59.1, 79.8)),
    ("SAM 2 B+, SA-1B only", "paper, tables 6 and 15", (58.9, 81.7), (60.8, 82.1), (56.4, 81.2), (56.6, 83.7)),
    ("SAM 2 L, SA-1B only", "paper, tables 6 and 15", (60.0, 81.8)),
    ("SAM 2 B+", "paper, table 6 (table 15: 61.9 and 83.6)", (61.4, 83.7)),
    ("SAM 2 L", "paper, tables 6 and 15", (63.5, 83.5), (64.3,), (62.4,), (71.2,)),
)

_VIDEO_SPEED, _IMAGE_SPEED = "frames a second", "images a second, batch 10"
_SPEED_ROWS = (
    ("SAM ViT-B", "paper, tables 6 and 15; A100", _IMAGE_SPEED, 76.7),
    ("SAM ViT-H", "paper, tables 6 and 15; A100", _IMAGE_SPEED, 21.7),
    ("SAM 2 B+", "paper, tables 6 and 15; A100", _IMAGE_SPEED, 130.1),
    ("SAM 2 L", "paper, tables 6 and 15; A100", _IMAGE_SPEED, 61.4),
    ("SAM 2 B+", "paper; A100", _VIDEO_SPEED, 43.8),
    ("SAM 2 L", "paper; A100", _VIDEO_SPEED, 30.2),
)


def published_vos(suite: str) -> tuple[PublishedRow, ...]:
    """Semi-supervised scores on a suite; on one that no source has, the means over 17 sets, by prompt."""
    name = "".join(c for c in suite.lower() if c.isascii() and c.isalnum())
    data = next((data for data, names in _SAME_SUITE.items() if name in names), None)
    rows = tuple(row for row in _benchmark_rows() if row.data == data)
    return rows or tuple(
        PublishedRow(tracker, SEVENTEEN, {p: {"J&F": v} for p, v in zip(_PROMPTS, values, strict=True)}, source)
        for tracker, source, *values in _PROMPT_ROWS
    )


def published_images() -> tuple[PublishedRow, ...]:
    """Image scores of the paper: mIoU by prompt on its groups of data sets."""
    return tuple(
        PublishedRow(tracker, data, {p: {"mIoU": v} for p, v in zip(("1 click", "5 clicks"), pair, strict=False)}, said)
        for at, data in enumerate(_IMAGE_DATA)
        for tracker, said, *pairs in _IMAGE_ROWS
        for pair in pairs[at : at + 1]
    )


def published_speed() -> tuple[PublishedRow, ...]:
    """Frames a second of video and images a second, on the hardware that the source names."""
    stated = [PublishedRow(tracker, "", {"": {kind: value}}, said) for tracker, said, kind, value in _SPEED_ROWS]
    measured = f"{_CHECKPOINT_SOURCE}; A100, compiled"
    return (*stated, *(PublishedRow(name, "", {"": {_VIDEO_SPEED: fps}}, measured) for name, fps, *_ in _CHECKPOINTS))


def _benchmark_rows() -> Iterator[PublishedRow]:
    for tracker, *cells in _MASK_ROWS:
        for data, cell in zip(_MASK_DATA, cells, strict=True):
            if cell is not None:
                values = cell if isinstance(cell, tuple) else (cell,)
                names = _G if data == "YouTube-VOS 2019" else _JF
                yield PublishedRow(str(tracker), data, {"mask": dict(zip(names, values, strict=False))}, _MASK_SOURCE)
    for tracker, _, *scores in _CHECKPOINTS:
        for data, score in zip(_CHECKPOINT_DATA, scores, strict=True):
            yield PublishedRow(tracker, data, {"mask": {"J&F": score}}, _CHECKPOINT_SOURCE)
