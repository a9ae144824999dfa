from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from masklet.checkpoints.weight_files import WeightFileError, read, write
from masklet.video import atomic

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4000)}


def same(x: dict[str, Tensor], y: dict[str, Tensor]) -> bool:
    return x.keys() == y.keys() and all(torch.equal(x[key], y[key]) for key in x)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
def test_written_and_read(suffix: str, tmp_path: Path):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(b"older")
    shared = {**STATE, "c": STATE["a.weight"], "d": STATE["a.weight"].T}
    write(path, shared, "nano")
    weights = read(path)
    assert same(weights.state, shared)
    assert weights.config == "nano"
    assert os.listdir(tmp_path) == [path.name]
    write(path, STATE, None)
    assert read(path).config is None


@pytest.mark.parametrize("content", [{"model": STATE}, {"state_dict": STATE, "epoch": 3}, STATE])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod."])
@pytest.mark.parametrize("zipped", [True, False])
def test_the_forms_that_a_pt_file_takes(content: dict, prefix: str, zipped: bool, tmp_path: Path):
    def named(state: dict[str, Tensor]) -> dict[str, Tensor]:
        return {prefix + key: value for key, value in state.items()}

    wrapped = {key: named(value) if value is STATE else value for key, value in content.items()}
    wrapped = named(STATE) if content is STATE else wrapped
    path = tmp_path / "w.bin"  # the content decides, not the name
    torch.save(wrapped, path, _use_new_zipfile_serialization=zipped)
    assert same(read(path).state, STATE)


def damaged(folder: Path) -> dict[str, Path]:
    """Files that are no weights, or no longer."""
    files = {
        name: folder / f"{name}.pt"
        for name in ("empty", "text", "html", "lfs", "junk", "short", "list", "none", "number")
    }
    files["empty"].touch()
    files["text"].write_text("hello, this is no weight file")
    files["html"].write_text("<!DOCTYPE html><html>Access denied</html>")
    files["lfs"].write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    files["junk"].write_bytes(b"\x80" + os.urandom(100))
    files["short"].write_bytes(b"PK")
    torch.save([torch.ones(1)], files["list"])
    torch.save({"model": {}}, files["none"])
    torch.save({"epoch": 3, "a": torch.ones(1)}, files["number"])
    for name, options in (("zip", {}), ("legacy", {"_use_new_zipfile_serialization": False})):
        torch.save(STATE, folder / "whole", **options)
        files[name] = folder / f"{name}.pt"
        files[name].write_bytes((folder / "whole").read_bytes()[:-5000])
    save_file(STATE, folder / "whole")
    content = (folder / "whole").read_bytes()
    for name, part in (
        ("header", content[:50]),
        ("tensors", content[:-500]),
        ("garbled", content[:8] + b"{" + b"?" * 500),
    ):
        files[name] = folder / f"{name}.safetensors"
        files[name].write_bytes(part)
    return files


@pytest.mark.parametrize(
    ("name", "got"),
    [
        ("empty", "an empty file"),
        ("text", "a file that begins with b'hello, t'"),
        ("html", "a web page"),
        ("lfs", "a Git LFS pointer"),
        ("junk", "a pickle that cannot be read|damaged PyTorch file"),
        ("short", "a truncated PyTorch file"),
        ("zip", "a truncated PyTorch file"),
        ("legacy", "a truncated or damaged PyTorch file"),
        ("header", "a truncated safetensors file"),
        ("tensors", "a truncated or damaged safetensors file"),
        ("garbled", "damaged safetensors file|truncated safetensors file"),
        ("list", "a PyTorch file with a list"),
        ("none", "no tensors"),
        ("number", r"entries that are no tensors \(epoch\)"),
    ],
)
def test_bad_files_are_refused_with_what_they_are(name: str, got: str, tmp_path: Path):
    path = damaged(tmp_path)[name]
    with pytest.raises(
        WeightFileError, match=f"^{path}: got .*({got}).*; expected SAM 2 weights as .safetensors or .pt; "
    ):
        read(path)


class Exploit:
    """Would make a file when unpickled by a careless reader."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("exploited",)


@pytest.mark.parametrize("zipped", [True, False, None])
def test_code_in_a_file_never_runs(zipped: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pt"
    if zipped is None:
        path.write_bytes(pickle.dumps(Exploit()))
    else:
        torch.save({"model": STATE, "x": Exploit()}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=r"evil.pt: got (pickled Python objects .*mkdir|a pickle that cannot be read)"):
        read(path)
    assert not (tmp_path / "exploited").exists()


def test_a_missing_file_and_something_else(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.pt")
    os.mkfifo(tmp_path / "pipe.pt")
    with pytest.raises(ValueError, match=r"something that is no file"):
        read(tmp_path / "pipe.pt")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path):
    path = tmp_path / "secret.pt"
    write(path, STATE, None)
    path.chmod(0)
    with pytest.raises(PermissionError, match=r"secret.pt"):
        read(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_fills_up_under_torch_is_an_os_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(atomic.secrets, "token_hex", lambda _: "7")
    (tmp_path / ".w.pt.7.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"Cannot write, nothing of it is kept .*w.pt"):
        write(tmp_path / "w.pt", STATE, None)
    assert os.listdir(tmp_path) == []


def test_a_disk_that_fills_up_under_safetensors_is_an_os_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(path: Path, data: bytes) -> None:
        path.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "w.safetensors").write_text("older")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"Cannot write, nothing of it is kept .*No space left.*w.safetensors"):
        write(tmp_path / "w.safetensors", STATE, None)
    assert os.listdir(tmp_path) == ["w.safetensors"]
    assert (tmp_path / "w.safetensors").read_text() == "older"


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
def test_a_written_file_may_be_read_by_whoever_may_read_its_neighbours(tmp_path: Path, name: str):
    write(tmp_path / name, {"x": torch.zeros(2)}, None)
    (tmp_path / "neighbour").touch()
    assert (tmp_path / name).stat().st_mode == (tmp_path / "neighbour").stat().st_mode
