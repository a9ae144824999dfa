from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from masklet.compat.sam2 import vos_inference as tool
from masklet.compat.sam2.sam2_video_predictor import SAM2VideoPredictor
from masklet.compat.sam2.settings import settings_of
from masklet.compat.sam2.vos_inference import vos_inference, vos_separate_inference_per_object
from masklet.masks.label_png import encode_label_png, read_label_png
from masklet.masks.palette import davis_palette
from masklet.model.sam2 import Sam2
from tiny_model import clip, disc

pytestmark = pytest.mark.usefixtures("as_user")
FRAMES = 6
NAMES = [f"{5 * t:05d}" for t in range(FRAMES)]  # numbered as YouTube-VOS does


def square(t: int) -> np.ndarray:
    mask = np.zeros((48, 72), bool)
    mask[26:37, 48 - t : 60 - t] = True
    return mask


def put(path: Path, labels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_label_png(labels.astype(np.uint8), davis_palette()))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One video: object 1 from the first frame on, object 2 from the third."""
    (tmp_path / "images" / "bear").mkdir(parents=True)
    for name, frame in zip(NAMES, clip(FRAMES), strict=True):
        cv2.imwrite(str(tmp_path / "images" / "bear" / f"{name}.png"), frame[..., ::-1])
    put(tmp_path / "merged" / "bear" / "00000.png", disc(0))
    put(tmp_path / "both" / "bear" / "00000.png", np.where(square(0), 2, disc(0)))
    put(tmp_path / "later" / "bear" / "00000.png", disc(0))
    put(tmp_path / "later" / "bear" / "00010.png", np.where(square(2), 2, disc(2)))
    for i, mask in ((0, disc(0)), (3, square(0))):
        put(tmp_path / "objects" / "bear" / f"{i:03d}" / "00000.png", mask)
    return tmp_path


@pytest.fixture
def predictor(tiny: Sam2) -> SAM2VideoPredictor:
    return SAM2VideoPredictor(tiny, settings_of(["++model.non_overlap_masks=true"]), prune=True)


def tracked(predictor: SAM2VideoPredictor, given: dict[int, tuple[int, np.ndarray]], threshold: float = 0.0) -> Any:
    """Masks by frame and object, of all objects together."""
    state = predictor.init_state(clip(FRAMES))
    for i, (t, mask) in given.items():
        predictor.add_new_mask(state, t, i, mask)
    return {
        t: {i: logits[k, 0].numpy() > threshold for k, i in enumerate(ids)}
        for t, ids, logits in predictor.propagate_in_video(state)
    }


def test_one_label_map_a_frame(predictor: SAM2VideoPredictor, root: Path):
    where = root / "images", root / "both", root / "out"
    assert vos_inference(predictor, *where, "bear")
    wanted = tracked(predictor, {1: (0, disc(0)), 2: (0, square(0))})
    assert sorted(path.name for path in (root / "out" / "bear").iterdir()) == [f"{name}.png" for name in NAMES]
    for t, name in enumerate(NAMES):
        labels = read_label_png(root / "out" / "bear" / f"{name}.png")
        assert np.array_equal(labels, np.where(wanted[t][1], 1, np.where(wanted[t][2], 2, 0)))
    vos_inference(predictor, *where, "bear", score_thresh=0.7)
    wanted = tracked(predictor, {1: (0, disc(0)), 2: (0, square(0))}, 0.7)
    labels = read_label_png(root / "out" / "bear" / f"{NAMES[4]}.png")
    assert np.array_equal(labels == 1, wanted[4][1])
    assert wanted[4][1].any()


def test_one_folder_an_object(tiny: Sam2, root: Path):
    predictor = SAM2VideoPredictor(tiny, settings_of([]), prune=True)
    vos_inference(predictor, root / "images", root / "objects", root / "out", "bear", per_obj_png_file=True)
    wanted = tracked(predictor, {0: (0, disc(0)), 3: (0, square(0))})
    assert sorted(path.name for path in (root / "out" / "bear").iterdir()) == ["000", "003"]
    for i in (0, 3):
        for t, name in enumerate(NAMES):
            labels = read_label_png(root / "out" / "bear" / f"{i:03d}" / f"{name}.png")
            assert np.array_equal(labels, wanted[t][i].astype(np.uint8))


def test_objects_that_appear_later(predictor: SAM2VideoPredictor, root: Path):
    where = root / "images", root / "later", root / "out", "bear"
    with pytest.raises(ValueError, match=r"object 2 in frame 2, but not in frame 0: .*--track_object_appearing_later"):
        vos_inference(predictor, *where, use_all_masks=True)
    assert vos_separate_inference_per_object(predictor, *where)
    alone = [tracked(predictor, {1: (0, disc(0))}), tracked(predictor, {2: (2, square(2))})]
    for t, name in enumerate(NAMES):
        labels = read_label_png(root / "out" / "bear" / f"{name}.png")
        first, second = alone[0][t][1], alone[1].get(t, {}).get(2, np.zeros((48, 72), bool))
        assert np.array_equal(labels > 0, first | second)
        assert not (labels == 2)[~second].any()
        assert not (labels == 1)[~first].any()
        if t < 2:
            assert np.array_equal(labels, first.astype(np.uint8))
    assert (read_label_png(root / "out" / "bear" / f"{NAMES[2]}.png") == 2).any()
    both = root / "images", root / "later", root / "apart", "bear"
    (root / "later" / "bear" / "002").mkdir()
    put(root / "later" / "bear" / "002" / "00010.png", square(2))
    vos_separate_inference_per_object(predictor, *both, per_obj_png_file=True)
    for t, name in enumerate(NAMES):
        labels = read_label_png(root / "apart" / "bear" / "002" / f"{name}.png")
        assert np.array_equal(labels > 0, alone[1].get(t, {}).get(2, np.zeros((48, 72), bool)))


def test_later_masks_are_prompts_only_if_asked(predictor: SAM2VideoPredictor, root: Path):
    put(root / "both" / "bear" / "00020.png", np.where(square(4), 2, 0))  # object 1 is not seen there
    where = root / "images", root / "both"
    vos_inference(predictor, *where, root / "first", "bear")
    vos_inference(predictor, *where, root / "all", "bear", use_all_masks=True)
    first, every = (read_label_png(root / name / "bear" / "00020.png") for name in ("first", "all"))
    assert not np.array_equal(first, every)
    assert ((every == 2) & square(4)).sum() > 0.8 * square(4).sum()


def test_finished_videos_are_left_alone(predictor: SAM2VideoPredictor, root: Path):
    where = root / "images", root / "merged", root / "out"
    assert vos_inference(predictor, *where, "bear", resume=True)
    files = {path: path.stat().st_mtime_ns for path in (root / "out" / "bear").iterdir()}
    assert not vos_inference(predictor, *where, "bear", resume=True)
    assert files == {path: path.stat().st_mtime_ns for path in (root / "out" / "bear").iterdir()}
    (root / "out" / "bear" / f"{NAMES[-1]}.png").unlink()
    assert vos_inference(predictor, *where, "bear", resume=True)
    assert len(list((root / "out" / "bear").iterdir())) == FRAMES
    assert vos_inference(predictor, *where, "bear")  # officially always


def test_movies(predictor: SAM2VideoPredictor, root: Path):
    with av.open(str(root / "movie.mp4"), "w") as output:
        stream = output.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = 48, 72, "yuv420p"
        for frame in clip(FRAMES):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        output.mux(stream.encode(None))
    put(root / "merged" / "movie" / "00000.png", disc(0))
    assert tool._names(root) == ["both", "images", "later", "merged", "objects", "movie"]
    vos_inference(predictor, root, root / "merged", root / "out", "movie")
    assert sorted(path.name for path in (root / "out" / "movie").iterdir()) == [f"{t:05d}.png" for t in range(FRAMES)]


def test_wrong_input(predictor: SAM2VideoPredictor, root: Path, caplog: pytest.LogCaptureFixture):
    with pytest.raises(FileNotFoundError, match=r"expected a folder .*wolf or a movie of that name"):
        vos_inference(predictor, root / "images", root / "merged", root / "out", "wolf")
    with pytest.raises(FileNotFoundError, match="expected a folder of masks, found none"):
        vos_inference(predictor, root / "images", root / "nowhere", root / "out", "bear")
    (root / "merged" / "bear" / "00000.png").unlink()
    with pytest.raises(ValueError, match="has no object in frame 0"):
        vos_inference(predictor, root / "images", root / "merged", root / "out", "bear")
    with pytest.raises(ValueError, match="has no mask of any object"):
        vos_separate_inference_per_object(predictor, root / "images", root / "merged", root / "out", "bear")
    put(root / "objects" / "bear" / "003" / "00000.png", np.zeros((48, 72)))
    vos_inference(predictor, root / "images", root / "objects", root / "out", "bear", per_obj_png_file=True)
    assert "the mask of object 3 of bear is empty" in caplog.text
    assert not read_label_png(root / "out" / "bear" / "003" / f"{NAMES[2]}.png").any()


@pytest.fixture
def run(predictor: SAM2VideoPredictor, root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run the command with a tiny model; gives what was asked of the builder."""
    asked: dict[str, Any] = {}
    monkeypatch.setattr(tool, "build_sam2_video_predictor", lambda **how: asked.update(how) or predictor)

    def command(*arguments: str, masks: str = "merged") -> dict[str, Any]:
        folders = ["--base_video_dir", str(root / "images"), "--input_mask_dir", str(root / masks)]
        assert tool.main([*folders, "--output_mask_dir", str(root / "out"), *arguments]) == 0
        return asked

    return command


def test_the_command(run: Callable[..., Any], root: Path, capsys: pytest.CaptureFixture[str]):
    asked = run()
    assert (asked["config_file"], asked["ckpt_path"]) == (
        "configs/sam2.1/sam2.1_hiera_b+.yaml",
        "./checkpoints/sam2.1_hiera_base_plus.pt",
    )
    assert asked["hydra_overrides_extra"] == ["++model.non_overlap_masks=true"]
    assert (asked["apply_postprocessing"], asked["vos_optimized"]) == (False, False)
    assert (root / "out" / "bear" / f"{NAMES[-1]}.png").is_file()
    (root / "list.txt").write_text("bear\n\n")
    asked = run(
        "--per_obj_png_file", "--apply_postprocessing", "--use_vos_optimized_video_predictor", "--sam2_cfg", "c",
        "--sam2_checkpoint", "w", "--video_list_file", str(root / "list.txt"), masks="objects",
    )  # fmt: skip
    assert asked["hydra_overrides_extra"] == ["++model.non_overlap_masks=false"]
    assert (asked["config_file"], asked["ckpt_path"]) == ("c", "w")
    assert (asked["apply_postprocessing"], asked["vos_optimized"]) == (True, True)
    assert (root / "out" / "bear" / "003").is_dir()
    run("--track_object_appearing_later_in_video", masks="later")
    (root / "list.txt").write_text("wolf\n")
    with pytest.raises(SystemExit) as ended:
        run("--video_list_file", str(root / "list.txt"))
    assert ended.value.code == 1
    assert "vos_inference: expected a folder" in capsys.readouterr().err
