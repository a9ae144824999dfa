from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from engine_work import people, project
from masklet.data_engine import objects
from masklet.data_engine.errors import NotFound, Refused


def test_numbers_names_and_colours(database):
    [ann] = people(database, "ann")
    project(database)
    with database.begin() as db:
        first = objects.add_object(db, 1, ann.id)
        fifth = objects.add_object(db, 1, ann.id, name=" cat ", colour="#AABBCC", number=5)
        sixth = objects.add_object(db, 1, None, origin="automatic", state="proposed")
        assert [(o.number, o.name, o.colour) for o in (first, fifth, sixth)] == [
            (1, "Object 1", "#800000"),
            (5, "cat", "#aabbcc"),
            (6, "Object 6", "#008080"),
        ]
        assert (first.state, sixth.state, sixth.origin, first.created_by) == (
            "selected",
            "proposed",
            "automatic",
            ann.id,
        )
        objects.remove_object(db, fifth.id)
        assert objects.objects_of(db, 1) == [first, sixth]
        assert objects.objects_of(db, 1, removed=True) == [first, fifth, sixth]
        assert objects.add_object(db, 1, ann.id).number == 7
        back = objects.change_object(db, fifth.id, name="dog", state="selected")
        assert (back.name, back.colour, back.state) == ("dog", "#aabbcc", "selected")


@pytest.mark.parametrize(
    "wrong", [{"number": 1}, {"number": 0}, {"number": -1}, {"name": ""}, {"colour": "red"}, {"colour": "#12345"}]
)
def test_wrong_values(database, wrong):
    project(database)
    with database.begin() as db:
        made = objects.add_object(db, 1, None)
        with pytest.raises(Refused):
            objects.add_object(db, 1, None, **wrong)
        if "number" not in wrong:
            with pytest.raises(Refused):
                objects.change_object(db, made.id, **wrong)


def test_what_does_not_exist(database):
    with database.begin() as db:
        for missing in (
            lambda: objects.add_object(db, 1, None),
            lambda: objects.change_object(db, 1),
            lambda: objects.remove_object(db, 1),
        ):
            with pytest.raises(NotFound):
                missing()


def test_objects_added_at_once_have_their_own_numbers(database):
    project(database)
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: database.run(objects.add_object, 1, None).number, range(12)))
    assert sorted(made) == list(range(1, 13))
