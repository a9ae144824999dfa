from __future__ import annotations

from pathlib import Path

import pytest

from masklet.inference import corpus_files
from masklet.inference.corpus_files import (
    Corpus,
    CorpusItem,
    fetched,
    forget,
    items_of,
    keep_faults,
    names_below,
    open_corpus,
    place,
    publish,
)


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def test_what_a_folder_holds():
    names = ["b/10.mp4", "b/2.MP4", "b/thumb.png", "c/d/0.jpg", "c/d/1.jpg", "photo.jpg", "notes.json", "c/readme.md"]
    assert items_of(names) == [
        CorpusItem("b/2.MP4", "movie"),
        CorpusItem("b/10.mp4", "movie"),
        CorpusItem("b/thumb.png", "image"),
        CorpusItem("c/d", "frames"),
        CorpusItem("photo.jpg", "image"),
    ]


def test_where_results_go():
    assert CorpusItem("a/b.mp4", "movie").last_file == "a/b_auto.json"
    assert CorpusItem("a/b", "frames").last_file == "a/b_auto.json"
    assert CorpusItem("b.jpg", "image").last_file == "b.json"
    assert CorpusItem("/x/a/b.jpg", "image", flat=True).last_file == "b.json"


def test_two_of_one_name():
    with pytest.raises(ValueError, match=r"written to b_auto\.json"):
        Corpus("", (CorpusItem("/x/b.mp4", "movie", flat=True), CorpusItem("/y/b.mov", "movie", flat=True)))


def test_a_folder_and_a_list(tmp_path: Path):
    touch(tmp_path, "data/a/b.mp4", "data/.hidden/c.mp4", "data/.d.mp4")
    corpus = open_corpus(str(tmp_path / "data"))
    assert corpus == Corpus(str(tmp_path / "data"), (CorpusItem("a/b.mp4", "movie"),))
    (tmp_path / "list.txt").write_text(f"{tmp_path}/data/a/b.mp4\n\nmemory://here/c.mp4\n{tmp_path}/frames\n")
    listed = open_corpus(str(tmp_path / "list.txt"))
    assert [(item.kind, item.name) for item in listed.items] == [("movie", "b"), ("movie", "c"), ("frames", "frames")]
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        open_corpus(str(tmp_path / "nothing"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no videos and no images in"):
        open_corpus(str(tmp_path / "empty"))


@pytest.mark.parametrize("kind", ["here", "memory", "address"])
def test_results_appear_with_the_last_file_last(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch):
    out = {
        "here": str(tmp_path / "out"),
        "address": f"file://{tmp_path}/out",
        "memory": f"memory://{tmp_path.name}/out",
    }
    if kind == "memory":
        pytest.importorskip("upath")
    made, item = tmp_path / "made", CorpusItem("a/b.mp4", "movie")
    touch(made, "b_auto.json", "b_auto/001/00000.png", "b_auto.mp4")
    written: list[str] = []
    real = corpus_files._put
    monkeypatch.setattr(corpus_files, "_put", lambda one, to: (written.append(one.name), real(one, to)))
    for _ in range(2):
        assert publish(made, out[kind], item) == len("b_auto.json" + "b_auto/001/00000.png" + "b_auto.mp4")
        assert sorted(names_below(place(out[kind]))) == ["a/b_auto.json", "a/b_auto.mp4", "a/b_auto/001/00000.png"]
        forget(out[kind], [item, CorpusItem("c.mp4", "movie")])
        assert sorted(names_below(place(out[kind]))) == []
    assert written == ["00000.png", "b_auto.mp4", "b_auto.json"] * 2


def test_what_is_of_others_stays(tmp_path: Path):
    mine = ["a/b_auto.json", "a/b_auto.mp4", "a/b_auto/001/00000.png", "c.json", "c.overlay.png", "c.labels.png"]
    others = ["a/b_auto/001/mine.png", "a/b.mp4", "b_auto.json", "b_auto/001/00000.png", "c_auto.mp4", "cc.overlay.png"]
    touch(tmp_path, *mine, *others)
    (tmp_path / "a" / "b_auto" / "002").mkdir()
    touch(tmp_path, "a/b_auto/002/00000.png")
    forget(str(tmp_path), [CorpusItem("a/b", "frames"), CorpusItem("c.jpg", "image")])
    assert sorted(names_below(tmp_path)) == sorted(others)
    assert not (tmp_path / "a" / "b_auto" / "002").exists()


def test_a_store_in_which_files_grow_is_written_by_renaming(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    pytest.importorskip("upath")
    monkeypatch.setattr(corpus_files, "_WHOLE", frozenset())
    touch(tmp_path, "b_auto.json")
    publish(tmp_path, f"memory://grow{tmp_path.name}", CorpusItem("b.mp4", "movie"))
    assert list(names_below(place(f"memory://grow{tmp_path.name}"))) == ["b_auto.json"]


def test_what_lies_in_object_storage_is_copied(tmp_path: Path):
    pytest.importorskip("upath")
    root = f"memory://corpus{tmp_path.name}"
    for name in ("a/b.mp4", "a/c/0.jpg", "a/c/1.jpg"):
        target = place(f"{root}/{name}")
        target.fs.pipe_file(target.path, name.encode())  # pyright: ignore[reportAttributeAccessIssue]
    corpus = open_corpus(root)
    assert [(item.path, item.kind) for item in corpus.items] == [("a/b.mp4", "movie"), ("a/c", "frames")]
    movie, frames = (fetched(corpus.root, item, tmp_path) for item in corpus.items)
    assert movie.read_bytes() == b"a/b.mp4"
    assert sorted(path.name for path in frames.iterdir()) == ["0.jpg", "1.jpg"]
    touch(tmp_path / "local", "a/b.mp4")
    assert fetched(str(tmp_path / "local"), corpus.items[0], tmp_path) == tmp_path / "local" / "a" / "b.mp4"


@pytest.mark.parametrize("where", ["here", "memory"])
def test_faults(tmp_path: Path, where: str):
    if where == "memory":
        pytest.importorskip("upath")
    out = str(tmp_path) if where == "here" else f"memory://kept{tmp_path.name}"
    keep_faults(out, {"b": "broken", "a": "empty"})
    assert b'"a": "empty",\n "b": "broken"' in (place(out) / "masklet.faults.json").read_bytes()
    for _ in range(2):
        keep_faults(out, {})
    assert list(names_below(place(out))) == []
