from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.progress import Progress

from masklet.cli.main import Terminated, main
from masklet.inference.options import SessionOptions
from masklet.inference.session import VideoSession
from masklet.masks.label_png import read_label_png
from masklet.masks.palette import davis_palette
from masklet.masks.rle import decode
from masklet.model.sam2 import Sam2
from masklet.video.frames import open_source
from masklet.video.mask_files import write_mask_file
from tiny_model import DISC, clip, disc

CLICK = f"0:{DISC[0]},{DISC[1]}"
BOX = "2@0:46,24,62,40"
FORMATS = ["png", "objects", "coco", "sa-v", "overlay", "rgba", "matte", "prores", "vp9"]
ALL = [x for name in FORMATS for x in ("--format", name)]
PNG_FOLDERS = ["masks", "objects/001", "rgba/001", "matte/001"]


def files(folder: Path) -> list[str]:
    """Every file below a folder, hidden ones too."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def track(folder: Path, model_file: str, tmp_path: Path):
    """Run ``masklet track`` on the frames; gives the exit code and the folder written."""

    def run(*arguments: str, source: str | None = None) -> tuple[int, Path]:
        out = tmp_path / "out"
        given = ["track", source or str(folder), "--model", model_file, "-o", str(out), *arguments]
        return main(given), out

    return run


def expected(tiny: Sam2) -> dict[int, np.ndarray]:
    """Label maps of the same two objects from a session."""
    session = VideoSession(clip(6), tiny)
    session.prompt(0, 1, points=[DISC], labels=[1])
    session.prompt(0, 2, box=(46, 24, 62, 40))
    return {r.frame: r.label_map() for r in session.propagate()}


def test_all_formats_say_the_same(track, tiny: Sam2, capsys: pytest.CaptureFixture[str]):
    code, out = track("--point", CLICK, "--box", BOX, *ALL)
    assert code == 0
    labels = expected(tiny)
    names = [f"{t:05d}.png" for t in range(6)]
    assert files(out) == sorted(
        [f"masks/{n}" for n in names]
        + [f"{kind}/{i}/{n}" for kind in ("objects", "rgba", "matte") for i in ("001", "002") for n in names]
        + [f"prores/{i}.mov" for i in ("001", "002")]
        + [f"vp9/{i}.webm" for i in ("001", "002")]
        + ["masks.coco.json", "masks.sav.json", "overlay.mp4", "scores.json"]
    )
    coco = json.loads((out / "masks.coco.json").read_text())
    scores = json.loads((out / "scores.json").read_text())
    assert coco["size"] == [48, 72]
    for t in range(6):
        written = read_label_png(out / "masks" / names[t])
        assert written.shape == (48, 72)
        assert np.array_equal(written, labels[t])
        for i in (1, 2):
            mask = labels[t] == i
            assert np.array_equal(read_label_png(out / "objects" / f"{i:03d}" / names[t]), mask)
            assert np.array_equal(decode(coco["frames"][t]["objects"][str(i)]), mask)
            for kind, channel in (("rgba", (..., 3)), ("matte", ...)):
                image = cv2.imread(str(out / kind / f"{i:03d}" / names[t]), cv2.IMREAD_UNCHANGED)
                assert np.array_equal(image[channel] == 255, mask)
            assert set(scores[str(i)][str(t)]) == {"iou", "presence", "area"}
    raw = (out / "masks" / names[0]).read_bytes()
    start = raw.index(b"PLTE") + 4
    assert raw[start : start + 9] == davis_palette()[:3].tobytes()
    sav = json.loads((out / "masks.sav.json").read_text())
    assert sav["video_frame_count"] == 6
    for name in ("overlay.mp4", "prores/001.mov", "vp9/002.webm"):
        with open_source(out / name) as video:
            assert video.size == (48, 72)
            assert len(video) == 6
            drawn = np.abs(video.frame(0).astype(int) - clip(1)[0]).mean() > 1
        assert drawn or name != "overlay.mp4"
    said = capsys.readouterr().err
    assert "6 frames in" in said
    assert "object 2: confidence" in said
    assert said.count("wrote ") == 10


@pytest.mark.parametrize(
    ("arguments", "frames"),
    [
        ([], [0, 1, 2, 3, 4, 5]),
        (["--direction", "forward"], [3, 4, 5]),
        (["--direction", "backward"], [0, 1, 2, 3]),
        (["--stop", "4"], [0, 1, 2, 3, 4]),
        (["--start", "2", "--stop", "4"], [2, 3, 4]),
        (["--start", "3", "--stop", "3"], [3]),
        (["--start", "4"], [4, 5]),
        (["--start", "1", "--stop", "2"], [1, 2]),
        (["--start", "1", "--stop", "2", "--direction", "backward"], [1, 2]),
        (["--start", "4", "--direction", "forward"], [4, 5]),
    ],
)
def test_ranges_and_directions(track, arguments: list[str], frames: list[int]):
    code, out = track("--point", CLICK.replace("0:", "3:"), "--quiet", *arguments, *ALL)
    assert code == 0
    assert files(out / "masks") == [f"{t:05d}.png" for t in frames]
    coco = json.loads((out / "masks.coco.json").read_text())
    assert [f["frame"] for f in coco["frames"]] == frames
    with open_source(out / "overlay.mp4") as video:
        assert len(video) == len(frames)


def test_the_overlay_of_a_backward_run_is_in_order(track):
    code, out = track("--point", "5:22,19", "--direction", "backward", "--format", "overlay", "--quiet")
    assert code == 0
    with open_source(out / "overlay.mp4") as video:
        for t, frame in enumerate(clip(6)):
            rows = np.abs(video.frame(t).astype(int) - frame).mean()
            others = [np.abs(video.frame(t).astype(int) - f).mean() for f in clip(6)]
            assert rows == min(others)


def test_masks_as_prompts_and_a_video_file(track, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    labels = disc(0).astype(np.uint8)
    labels[26:38, 48:60] = 4
    write_mask_file(tmp_path / "first.png", labels)
    movie = tmp_path / "m.avi"
    writer = cv2.VideoWriter(str(movie), cv2.VideoWriter.fourcc(*"MJPG"), 5, (72, 48))
    for frame in clip(4):
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    code, out = track("--mask", f"0:{tmp_path / 'first.png'}", "--quiet", source=str(movie))
    assert code == 0
    assert files(out) == [f"masks/{t:05d}.png" for t in range(4)] + ["scores.json"]
    assert set(json.loads((out / "scores.json").read_text())) == {"1", "4"}
    first = read_label_png(out / "masks" / "00000.png")
    assert np.count_nonzero((first == 1) & disc(0)) / disc(0).sum() > 0.85
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is nothing to track: give --point, --box or --mask"),
        (["--point", "22,19"], "cannot read the prompt '22,19': expected [OBJECT@]FRAME:VALUES"),
        (["--point", "0:500,10"], "point (500, 10) is outside the frame of 72 x 48 pixels"),
        (["--point", "0:nan,10"], "points must be finite numbers"),
        (["--point", "6:22,19"], "frame 6 is outside the video"),
        (["--point", "0@0:22,19"], "object_id must be an integer of at least 1, got 0"),
        (["--box", "0:30,30,10,10"], "has its corners swapped"),
        (["--box", "0:30,30,30,40"], "has no area"),
        (["--mask", "0:nowhere.png"], "nowhere.png"),
        (["--point", CLICK, "--start", "9"], "--start 9 is outside the video: its frames are 0..5"),
        (["--point", CLICK, "--start", "4", "--stop", "2"], "--stop 2 lies before --start 4"),
        (["--point", "5:22,19", "--stop", "2", "--direction", "forward"], "cannot be reached going forward"),
        (["--point", CLICK, "--device", "foo"], "got --device foo, but torch can use only cpu"),
        (["--point", CLICK, "--image-size", "3200000"], "expected at most 4096"),
        (["--point", CLICK, "--max-pixels", "3455"], "the limit is 3,455: pass a larger max_pixels (--max-pixels)"),
        (["--point", CLICK, "--image-size", "100"], "image_size must be a positive multiple of 32, got 100"),
        (["--point", CLICK, "--model", "nothing"], "nothing"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    track, capsys: pytest.CaptureFixture[str], as_user: None, arguments: list[str], message: str
):
    code, out = track(*arguments)
    assert code == 2
    said = capsys.readouterr().err
    assert said.startswith("masklet: ")
    assert said.count("\n") == 1
    assert message in said
    assert not out.exists()


def test_a_missing_source(track, capsys: pytest.CaptureFixture[str]):
    code, out = track("--point", CLICK, source="no/such/video.mp4")
    assert code == 2
    assert "There is no file or folder no/such/video.mp4" in capsys.readouterr().err
    assert not out.exists()


def test_a_failure_midway_leaves_only_whole_files(track, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = tmp_path / "frames"
    source.mkdir()
    for t, frame in enumerate(clip(6)):
        cv2.imwrite(str(source / f"{t}.png"), np.ascontiguousarray(frame))
    broken = source / "3.png"
    broken.write_bytes(broken.read_bytes()[:200])
    code, out = track("--point", CLICK, *ALL, source=str(source))
    assert code == 2
    assert "3.png" in capsys.readouterr().err
    names = [f"{kind}/{t:05d}.png" for kind in PNG_FOLDERS for t in range(3)]
    assert files(out) == sorted([*names, "masks.coco.json", "scores.json"])
    assert list(json.loads((out / "scores.json").read_text())["1"]) == ["0", "1", "2"]
    assert all(read_label_png(p).shape == (48, 72) for p in (out / "masks").iterdir())


def test_an_object_number_that_no_indexed_png_holds(track, capsys: pytest.CaptureFixture[str]):
    code, out = track("--point", f"300@{CLICK}")
    assert code == 2
    assert "Object id 300 does not fit an indexed PNG" in capsys.readouterr().err
    assert files(out) == []
    code, out = track("--point", f"300@{CLICK}", "--format", "coco", "--quiet")
    assert code == 0


def test_a_folder_that_cannot_be_written(track, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "out").write_text("a file")
    code, out = track("--point", CLICK)
    assert code == 2
    assert capsys.readouterr().err == f"masklet: {out}: Cannot write into a file: choose another -o\n"
    assert out.read_text() == "a file"


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("source", "arguments"),
    [
        ("out/masks", []),
        ("out/masks/*.png", ["--format", "png"]),
        ("out/masks/00001.png", ["--format", "coco"]),  # an earlier run's, which would be removed
        ("out/objects/001", ["--format", "objects"]),
        ("out/overlay.mp4", ["--format", "overlay"]),
        ("out/overlay.mp4", ["--format", "coco"]),
        ("link.mp4", ["--format", "overlay"]),
        ("jpg/masks", ["-o", "jpg"]),  # of another name, but the folder would hold every frame twice
        ("frames", ["--mask", "0:out/masks/00001.png"]),
    ],
)
def test_an_input_is_never_overwritten(
    track, folder: Path, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str], source: str, arguments
):
    monkeypatch.chdir(tmp_path)
    assert track("--point", CLICK, *ALL, "--quiet")[0] == 0
    (tmp_path / "link.mp4").symlink_to(tmp_path / "out" / "overlay.mp4")
    (tmp_path / "frames").symlink_to(folder)
    for t, frame in enumerate(clip(2)):
        (tmp_path / "jpg" / "masks").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "jpg" / "masks" / f"{t:05d}.jpg"), frame)
    before = contents(tmp_path)
    code, _ = track("--model", "not even looked for", "--point", CLICK, *arguments, source=source)
    assert code == 2
    said = capsys.readouterr().err
    assert "this would " in said
    assert said.endswith("; choose another -o\n")
    assert contents(tmp_path) == before


def test_old_and_new_results_never_mix(track, capsys: pytest.CaptureFixture[str]):
    code, out = track("--point", CLICK, "--box", BOX, *ALL, "--quiet")
    assert code == 0
    (out / "masks" / "notes.txt").write_text("mine")
    cv2.imwrite(str(out / "masks" / "00099.png"), np.zeros((4, 4), np.uint8))
    before = contents(out)
    assert track("--point", "0:500,10", "--format", "coco")[0] == 2
    assert contents(out) == before
    assert track("--point", "3@2:22,19", "--start", "2", "--stop", "3", "--format", "coco", "--quiet")[0] == 0
    assert files(out) == ["masks.coco.json", "masks/00099.png", "masks/notes.txt", "scores.json"]
    assert json.loads((out / "scores.json").read_text())["3"].keys() == {"2", "3"}
    assert not (out / "objects").exists()


def test_a_prompt_outside_the_range_counts(track, tiny: Sam2, capsys: pytest.CaptureFixture[str]):
    session = VideoSession(clip(6), tiny)
    session.prompt(0, 1, points=[DISC], labels=[1])
    masks = {r.frame: r.masks[1] for r in session.propagate()}
    code, out = track("--point", CLICK, "--start", "3", "--stop", "4")
    assert code == 0
    assert files(out) == ["masks/00003.png", "masks/00004.png", "scores.json"]
    for t in (3, 4):
        assert np.array_equal(read_label_png(out / "masks" / f"{t:05d}.png"), masks[t])
    assert "tracking begins at frame 0" in capsys.readouterr().err


def test_a_mask_of_another_size_is_named(track, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write_mask_file(tmp_path / "small.png", np.ones((4, 5), np.uint8))
    code, out = track("--mask", f"0:{tmp_path / 'small.png'}", "--model", "not even looked for")
    assert code == 2
    assert f"the mask file {tmp_path / 'small.png'} has 5 x 4 pixels, expected 72 x 48" in capsys.readouterr().err
    assert not out.exists()


def test_the_limit_of_pixels_holds_for_mask_files(track, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write_mask_file(tmp_path / "m.png", np.ones((100, 100), np.uint8))
    assert track("--mask", f"0:{tmp_path / 'm.png'}", "--max-pixels", "9999")[0] == 2
    assert "m.png has 100x100 pixels, the limit is 9,999" in capsys.readouterr().err


def test_paths_are_printed_as_they_are(track, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    out = tmp_path / "o[red]y [/x] :smile: and a name that is much longer than the terminal is wide"
    code, _ = track("--point", CLICK, "--stop", "0", "-o", str(out))
    assert code == 0
    assert f"wrote {out / 'scores.json'}\n" in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "code"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_an_interrupted_run_keeps_what_is_finished(track, monkeypatch: pytest.MonkeyPatch, kind: type, code: int):
    update = Progress.update

    def interrupted(self: Progress, task: object, **state: object) -> None:
        if state.get("completed") == 3:
            raise kind
        update(self, task, **state)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(Progress, "update", interrupted)
    found, out = track("--point", CLICK, *ALL)
    assert found == code
    names = [f"{kind}/{t:05d}.png" for kind in PNG_FOLDERS for t in range(3)]
    assert files(out) == sorted([*names, "masks.coco.json", "scores.json"])


def test_an_input_of_the_frames_own_aspect(track, tiny: Sam2, capsys: pytest.CaptureFixture[str]):
    code, out = track("--point", CLICK, "--fit", "native")
    assert code == 0
    session = VideoSession(clip(6), tiny, options=SessionOptions(fit="native"))
    session.prompt(0, 1, points=[DISC], labels=[1])
    labels = {r.frame: r.label_map() for r in session.propagate()}
    assert all(np.array_equal(read_label_png(out / "masks" / f"{t:05d}.png"), labels[t]) for t in range(6))
    assert track("--point", CLICK, "--fit", "cover")[0] == 2
    assert "got --fit cover, expected stretch, letterbox, native or HEIGHTxWIDTH" in capsys.readouterr().err


def test_the_session_is_saved(track, tiny: Sam2, tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "saved" / "work.session"
    path.parent.mkdir()
    code, out = track("--point", CLICK, "--box", BOX, "--session", str(path), "--scene-cuts")
    assert code == 0
    assert f"saved the session as {path}" in " ".join(capsys.readouterr().err.split())
    again = VideoSession.load(path, model=tiny)
    assert again.options.scene_cuts
    for t in range(6):
        labels = read_label_png(out / "masks" / f"{t:05d}.png")
        np.testing.assert_array_equal(again.frame_result(t).masks[1] & (labels != 2), labels == 1)

    code, _ = track("--point", CLICK, "--session", str(next(folder.iterdir())))
    assert code == 2
    assert "would overwrite the input" in " ".join(capsys.readouterr().err.split())


def test_small_objects_in_windows(track, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    code, out = track("--box", "2@0:46,24,54,31", "--point", CLICK, "--region-of-interest", "2")
    assert code == 0
    assert files(out / "masks") == [f"{t:05d}.png" for t in range(6)]
    capsys.readouterr()
    for arguments, said in (
        (["--region-of-interest", "1"], "expected a number above 1"),
        (["--region-of-interest", "2", "--session", str(tmp_path / "s")], "drop one"),
    ):
        code, _ = track("--point", CLICK, *arguments)
        assert code == 2
        assert said in capsys.readouterr().err
