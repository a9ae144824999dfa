from pathlib import Path

import pytest

from masklet.evaluation.ray_pool import RayPool
from masklet.evaluation.runs import ThisProcess, Unit, run_units
from unit_work import Squares

UNITS = [Unit("mask", i, "bad" if i == 4 else f"video {i}") for i in range(9)]


def test_without_workers_nothing_starts():
    with pytest.raises(ValueError, match="at least 1 worker"):
        RayPool(workers=0)


@pytest.mark.filterwarnings("ignore")
def test_two_workers_of_a_local_cluster_give_what_one_process_gives(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))  # where the workers find unit_work
    found = {}
    for name, pool in {"one": ThisProcess(), "ray": RayPool("local", 2, cpus=0.5)}.items():
        seen = tmp_path / f"seen {name}"
        seen.mkdir()
        done = run_units(UNITS, Squares(seen), tmp_path / name, {}, pool)
        found[name] = sorted((one.unit.index, str(one.result), one.fault) for one in done)
        assert len(list(seen.iterdir())) == 9
    assert found["ray"] == found["one"]
    assert found["ray"][4][2] == "bad 4 has no masks"
