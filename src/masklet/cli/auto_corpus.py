"""``masklet auto`` of a corpus: each video and image by itself, in any order, by any number of workers.

The folder of results is all that is kept of a run: what is complete there is not done again, so that a stop, a worker
that is killed, or something that is done twice changes nothing.
"""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..video.images import DEFAULT_MAX_PIXELS, IMAGE_SUFFIXES
from . import auto_image, auto_video
from .auto_image import FAULTY
from .auto_progress import Shown
from .auto_video import VideoFiles, VideoFormat
from .model_choice import ModelChoice

if TYPE_CHECKING:
    from ..evaluation.runs import Do, Pool, Unit
    from ..inference.automatic import AutomaticMasks
    from ..inference.automatic_masklets import AutomaticMasklets
    from ..inference.corpus_files import Corpus


@dataclass(frozen=True)
class CorpusWork:
    """What a worker does; called once in each, where it loads the model.

    Attributes:
        out: Path or address of the results.
        masks: Changes of :class:`~masklet.inference.automatic.AutomaticOptions`.
        choices: Changes of :class:`~masklet.inference.masklet_options.MaskletOptions`.
        small_area: Of images; that of videos is among the choices.
        threads: Of each worker; the same last digits need the same number.
        root: Of the corpus; empty for a list.
        nested: Say of images also how masks lie in each other, and write label maps.
    """

    out: str
    formats: tuple[VideoFormat, ...]
    model: ModelChoice
    masks: dict[str, Any]
    choices: dict[str, Any]
    small_area: int | None = None
    max_pixels: int = DEFAULT_MAX_PIXELS
    threads: int = 1
    root: str = ""
    nested: bool = False

    def settings(self) -> dict[str, Any]:
        """What results depend on."""
        model = {"model": self.model.name, "image_size": self.model.image_size, "device": self.model.device}
        names = ("masks", "choices", "small_area", "formats", "threads", *(("nested",) if self.nested else ()))
        return model | {name: getattr(self, name) for name in names}

    def __call__(self) -> Do:
        """Load the model."""
        return partial(self._do, *self.generators())

    def generators(self) -> tuple[AutomaticMasks, AutomaticMasklets]:
        """What finds masks in images, and masklets in videos."""
        import cv2
        import torch

        from ..inference.automatic import AutomaticMasks, AutomaticOptions
        from ..inference.automatic_masklets import AutomaticMasklets

        torch.set_num_threads(self.threads)
        cv2.setNumThreads(self.threads)
        model = self.model.load(quiet=True)  # workers share a terminal
        of_images = self.masks if self.small_area is None else {**self.masks, "small_area": self.small_area}
        of_videos = auto_video.masklet_options(model, self.masks, self.choices)
        return AutomaticMasks(model, AutomaticOptions.suited(model, **of_images)), AutomaticMasklets(model, of_videos)

    def _do(self, images: AutomaticMasks, videos: AutomaticMasklets, unit: Unit) -> dict[str, int]:
        """Do a video or an image: first in a folder of this machine, whose files are then put into their place."""
        import cv2

        from ..inference.corpus_files import CorpusItem, fetched, publish

        item = CorpusItem(unit.name, unit.group, flat=not self.root)  # pyright: ignore[reportArgumentType]
        with TemporaryDirectory(prefix="masklet-") as scratch:
            inputs, made = Path(scratch) / "in", Path(scratch) / "out"
            inputs.mkdir()
            made.mkdir()
            path = fetched(self.root, item, inputs)
            try:
                counted = self._image(images, path, made) if item.kind == "image" else self._video(videos, path, made)
            except (RuntimeError, MemoryError, cv2.error) as error:  # too large for this machine: others may not be
                raise ValueError(f"{type(error).__name__}: {error}") from error
            return {**counted, "bytes": publish(made, self.out, item)}

    def _image(self, generator: AutomaticMasks, path: Path, made: Path) -> dict[str, int]:
        from ..video.images import read_image

        picture = read_image(path, max_pixels=self.max_pixels)
        masks = tuple(generator.generate(picture))
        auto_image.write(path, picture, masks, made, nested=self.nested)
        return {"frames": 1, "masks": len(masks)}

    def _video(self, generator: AutomaticMasklets, path: Path, made: Path) -> dict[str, int]:
        from ..video.frames import open_source

        files = VideoFiles(path, made, self.formats)
        with open_source(path, max_pixels=self.max_pixels) as source, generator.generate(source) as masklets:
            auto_video.write(files, masklets)
            return {"frames": len(source), "masks": len(masklets.ids)}


def is_corpus(given: list[str], spread: bool) -> bool:
    """Whether what is given is a corpus and not images or one video.

    Args:
        given: Paths or addresses.
        spread: Whether workers are asked for; then any folder is a corpus.

    Raises:
        ValueError: Nothing is given, a corpus with something else, or workers are asked for and there is no corpus.
    """
    from ..data.frames import MOVIES
    from ..inference.corpus_files import LISTS

    def alone(text: str) -> bool:
        path = Path(text)
        if "://" in text or path.suffix.lower() in LISTS:
            return True
        if not path.is_dir():
            return False
        suffixes = {entry.suffix.lower() for entry in path.iterdir() if not entry.name.startswith(".")}
        return spread or bool(suffixes & MOVIES) or not suffixes & IMAGE_SUFFIXES

    if not given:
        raise ValueError("nothing is given: name images, a video, or a folder, address or list of many")
    found = [text for text in given if alone(text)]
    if found and len(given) > 1:
        raise ValueError(f"{found[0]} is a corpus or a video: give one, or only image files")
    if spread and not found:
        raise ValueError(f"workers share a folder or a list (.txt) of videos and images, got {given[0]}: give one")
    return bool(found)


def run(given: str, work: CorpusWork, *, ray: str | None, workers: int | None, resume: bool, quiet: bool) -> int:
    """Do what is left of a corpus and say what was done; returns the exit code."""
    from ..data.settings import keep_settings
    from ..evaluation.runs import Unit
    from ..inference.corpus_files import SETTINGS, forget, keep_faults, names_below, open_corpus, place

    pool = _pool(work, ray, workers)
    corpus = open_corpus(given)
    work = replace(work, root=corpus.root)
    _check_places(corpus, work)
    if not resume:
        forget(work.out, corpus.items)  # first: whatever stops this, nothing old passes for a result of new options
    out = place(work.out)
    advice = "give the same, or another folder, or --no-resume to do all again"
    keep_settings(out / SETTINGS, work.settings(), advice, anew=not resume)
    finished = {name for name in names_below(out) if name.endswith(".json")}
    left = [item for item in corpus.items if item.last_file not in finished]
    units = (Unit(item.kind, k, item.path) for k, item in enumerate(left))
    count = len(corpus.items)
    shown = Shown(count, count - len(left), quiet)
    shown.say(f"{given}: {count} videos and images, {count - len(left)} of them done already")
    faults: dict[str, str] = {}
    try:
        with closing(pool.results(work, units)) as results, shown:  # pyright: ignore[reportArgumentType]
            for done in results:
                if done.fault is not None:
                    faults[done.unit.name] = done.fault
                shown.add(done)
    except KeyboardInterrupt:
        shown.say(f"stopped after {shown.text()}; the same command goes on")
        raise
    finally:
        keep_faults(work.out, faults)
    shown.say(f"{work.out}: {shown.text()}; {shown.frames} frames, {shown.masks} masks, {shown.bytes / 1e6:.1f} MB")
    for name, fault in sorted(faults.items()):
        print(f"{name}: {fault}", file=sys.stderr)
    return FAULTY if faults else 0


def _pool(work: CorpusWork, ray: str | None, workers: int | None) -> Pool:
    from ..evaluation.ray_pool import RayPool
    from ..evaluation.runs import Processes, ThisProcess

    if workers is not None and workers < 1:
        raise ValueError(f"got --workers {workers}, expected at least 1")
    if work.threads < 1:
        raise ValueError(f"got --threads {work.threads}, expected at least 1")
    if ray is not None:
        return RayPool(ray, workers, cpus=work.threads, gpus=int(work.model.device.startswith("cuda")))
    return ThisProcess() if workers in (None, 1) else Processes(workers)


def _check_places(corpus: Corpus, work: CorpusWork) -> None:
    """Refuse results that a later run would take for a part of the corpus, or that would replace a part of it."""
    out = work.out.rstrip("/")
    if corpus.root and f"{out}/".startswith(f"{corpus.root.rstrip('/')}/"):
        raise ValueError(f"{work.out} lies in the corpus {corpus.root}: choose another -o")
    if not corpus.root:
        inside = [item.path for item in corpus.items if item.path.rpartition("/")[0] == out]
        if inside:
            raise ValueError(f"{inside[0]} lies in {work.out}, where results go: choose another -o")
