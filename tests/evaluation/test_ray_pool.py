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


@pytest.mark.filterwarnings("ignore")
def test_workers_that_die_are_replaced(tmp_path, monkeypatch, request):
    """A unit whose worker dies is done again; one that kills all of them has a fault and stops nothing."""
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    ray.init(address="local", num_cpus=2, log_to_driver=False)
    request.addfinalizer(ray.shutdown)
    found = {}
    for name, deaths in {"some": 1, "all": 1000}.items():
        seen = tmp_path / name
        seen.mkdir()
        pool = RayPool(workers=2, tries=2)
        found[name] = {one.unit.index: one for one in pool.results(Squares(seen, 3, deaths), UNITS[:6])}
        assert (seen / "3").read_text() == "xx"
        assert all((seen / str(i)).read_text() == "x" for i in (0, 1, 2, 5))
    assert found["some"][3].result == {"square": 9}
    assert found["all"][3].fault == "2 workers died while they did it, perhaps of memory"
    assert {i: one.result for i, one in found["all"].items() if one.fault is None} == {
        i: {"square": i * i} for i in (0, 1, 2, 5)
    }
