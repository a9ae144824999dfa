from __future__ import annotations

import pytest

from engine_work import later, masks, people, project, tracked
from masklet.data_engine.errors import NotFound, Refused
from masklet.data_engine.judgements import add_comment, judged, judgements_of
from masklet.data_engine.objects import add_object
from masklet.data_engine.stored_masks import store_masklet


def test_comments(database):
    [ann, bob] = people(database, "ann", "bob")
    p = project(database, stages=["track"])
    task_id = tracked(database, ann, p, o1=30)
    with database.begin() as db:
        add_comment(db, 1, bob.id, " the tail is missing ", frame=3, at=later(1))
        add_comment(db, 1, ann.id, "fixed\nI hope", at=later(2))
        said = judgements_of(db, 1)
        assert [(j.user_id, j.comment, j.frame, j.verdict, j.task_id) for j in said] == [
            (bob.id, "the tail is missing", 3, None, task_id),
            (ann.id, "fixed\nI hope", None, None, task_id),
        ]
        with pytest.raises(NotFound, match="no verdict"):
            judged(db, task_id)


def test_comments_on_a_models_own_masks(database):
    [ann] = people(database, "ann")
    project(database)
    with database.begin() as db:
        made = add_object(db, 1, None, state="proposed")
        with pytest.raises(Refused, match="no masks yet"):
            add_comment(db, made.id, ann.id, "x")
        store_masklet(db, made.id, masks())
        assert add_comment(db, made.id, ann.id, "x").task_id is None
        for wrong in (" ", "x" * 5001, "a\0"):
            with pytest.raises(Refused, match="comment"):
                add_comment(db, made.id, ann.id, wrong)
        with pytest.raises(NotFound):
            add_comment(db, 99, ann.id, "x")
