import json

import pytest

from masklet.evaluation.runs import Processes, ThisProcess, Unit, run_units
from unit_work import Squares, Unprepared

UNITS = [Unit("3 clicks", i, f"video {i}") for i in range(7)]
SETTINGS = {"tracker": "squares", "size": 4}


@pytest.fixture
def seen(tmp_path):
    folder = tmp_path / "seen"
    folder.mkdir()
    return folder


def times(seen, index):
    path = seen / str(index)
    return len(path.read_text()) if path.exists() else 0


def results(done):
    return {one.unit.index: one.result for one in done}


@pytest.mark.parametrize("pool", [ThisProcess(), Processes(2)])
def test_every_unit_is_done_once_and_kept(tmp_path, seen, pool):
    done = list(run_units(UNITS, Squares(seen), tmp_path / "run", SETTINGS, pool))
    assert results(done) == {i: {"square": i * i} for i in range(7)}
    assert all(times(seen, i) == 1 for i in range(7))
    kept = json.loads((tmp_path / "run" / UNITS[3].file).read_text())
    assert kept == {"group": "3 clicks", "name": "video 3", "result": {"square": 9}}
    assert json.loads((tmp_path / "run" / "settings.json").read_text()) == SETTINGS


def test_a_run_that_was_stopped_goes_on(tmp_path, seen):
    steps = run_units(UNITS, Squares(seen), tmp_path / "run", SETTINGS, ThisProcess())
    for _ in range(3):
        next(steps)
    steps.close()
    done = list(run_units(UNITS, Squares(seen), tmp_path / "run", SETTINGS, Processes(2)))
    assert results(done) == {i: {"square": i * i} for i in range(7)}
    assert all(times(seen, i) == 1 for i in range(7))


def test_a_pool_can_be_left_early(tmp_path, seen):
    many = [Unit("mask", i, "x") for i in range(200)]
    steps = run_units(many, Squares(seen), tmp_path / "run", SETTINGS, Processes(2))
    next(steps)
    steps.close()
    assert len(list(seen.iterdir())) < 20


def test_faults_stop_nothing_and_are_tried_again(tmp_path, seen):
    units = [*UNITS[:2], Unit("mask", 7, "bad"), *UNITS[2:]]
    for attempt in (1, 2):
        done = list(run_units(units, Squares(seen), tmp_path / "run", SETTINGS, ThisProcess()))
        assert [one.fault for one in done if one.fault] == ["bad 7 has no masks"]
        assert len(done) == 8
        assert times(seen, 7) == attempt


def test_other_settings_are_named(tmp_path, seen):
    list(run_units(UNITS[:1], Squares(seen), tmp_path / "run", SETTINGS, ThisProcess()))
    with pytest.raises(ValueError, match=r"other options \(size 4, not 5\): take another folder"):
        next(run_units(UNITS, Squares(seen), tmp_path / "run", {**SETTINGS, "size": 5}, ThisProcess()))


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is damaged"), ("[]", "holds list"), ('{"group": "3 clicks", "name": "other"}', "is not the result of")],
)
def test_damaged_results_are_named(tmp_path, seen, text, message):
    path = tmp_path / "run" / UNITS[0].file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        next(run_units(UNITS, Squares(seen), tmp_path / "run", SETTINGS, ThisProcess()))


def test_a_process_that_dies_ends_the_run_and_loses_nothing(tmp_path, seen):
    run = tmp_path / "run"
    with pytest.raises(RuntimeError, match="run again with fewer workers"):
        list(run_units(UNITS, Squares(seen, deadly=6), run, SETTINGS, Processes(1)))
    kept = len(list((run / "units" / "3-clicks").iterdir()))
    assert kept >= 4
    done = list(run_units(UNITS, Squares(seen), run, SETTINGS, ThisProcess()))
    assert results(done) == {i: {"square": i * i} for i in range(7)}


def test_what_is_wrong_with_the_preparation_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing here"):
        list(run_units(UNITS, Unprepared(), tmp_path / "run", SETTINGS, Processes(2)))


def test_no_process_is_refused():
    with pytest.raises(ValueError, match="at least 1 process"):
        Processes(0)
