from __future__ import annotations

import pytest
from sqlalchemy import select

from engine_work import masks, people, project, ready, taken
from masklet.data_engine.agreement import agreement, compared_videos, consensus
from masklet.data_engine.database import found
from masklet.data_engine.errors import NotFound
from masklet.data_engine.objects import add_object
from masklet.data_engine.schema import Object, Session, User
from masklet.data_engine.stored_masks import store_masklet
from masklet.data_engine.tasks import submit


def work(database, *handed):
    """Two objects of which each annotator hands masks in."""
    users = people(database, "eve", *map(str, range(len(handed))))
    p = project(database, annotators=len(handed))
    with database.begin() as db:
        task = taken(db, users[0], p, "select")
        for _ in range(2):
            add_object(db, task.video_id, users[0].id)
        submit(db, task.id, users[0], task.lease, {})
        sessions = []
        for user, masklets in zip(users[1:], handed, strict=True):
            task = taken(db, user, p, "track")
            sessions.append(task.session_id)
            submit(db, task.id, user, task.lease, masklets)
    return sessions


def test_three_people(database):
    same = masks(0, 1)
    sessions = work(
        database,
        {1: masks(0, 1, right=10), 2: same},
        {1: masks(0, 1, right=20), 2: same},
        {1: [*masks(0, right=25), *masks(1, right=20), *masks(2, right=1)], 2: same},
    )
    with database.reading() as db:
        one, two = agreement(db, 1)
        # Frame 0: 10/20, 10/25 and 20/25; frame 1: 10/20 twice and 20/20; frame 2 has nothing to compare with.
        assert one.by_frame == pytest.approx({0: (0.5 + 0.4 + 0.8) / 3, 1: (0.5 + 0.5 + 1) / 3})
        assert one.mean == pytest.approx((1.7 / 3 + 2 / 3) / 2)
        # The others: first .5 .5 .4 .5, second .5 .5 .8 1, third .4 .5 .8 1.
        assert one.consensus == sessions[1]
        assert one.sessions == tuple(sessions)
        assert (two.mean, two.consensus) == (1, sessions[0])
        assert consensus(db, found(db, Object, 1)).session_id == sessions[1]


def test_frames_that_nobody_else_has(database):
    work(database, {1: masks(0), 2: masks(0)}, {1: masks(1), 2: masks(0)})
    with database.reading() as db:
        one, two = agreement(db, 1)
        assert (one.by_frame, one.mean, two.mean) == ({}, None, 1)


def test_one_person_agrees_with_nobody(database):
    work(database, {1: masks(), 2: masks()})
    with database.reading() as db:
        assert agreement(db, 1) == []
        assert consensus(db, found(db, Object, 1)).task_id == 2
        with pytest.raises(NotFound):
            agreement(db, 99)


def test_nothing_was_tracked(database):
    project(database)
    with database.begin() as db:
        assert consensus(db, add_object(db, 1, None)) is None


def test_videos_with_something_to_compare(database):
    work(database, {1: masks(), 2: masks()}, {1: masks(), 2: masks()})
    with database.begin() as db:
        ann, bob = db.scalars(select(User).order_by(User.id).limit(2))
        for name in ("alone", "both"):
            video = ready(db, 1, name)
            target = add_object(db, video, ann.id)
            for user in (ann, bob)[: 1 if name == "alone" else 2]:
                session = Session(video_id=video, copy=user.id, key=f"{name} {user.id}")
                db.add(session)
                db.flush()
                for _ in range(2):  # handed in twice
                    store_masklet(db, target.id, masks(), session_id=session.id, task_id=None, user_id=user.id)
    with database.reading() as db:
        assert [one.name for one in compared_videos(db, 1, 0, 20)] == ["v", "both"]
        assert [one.name for one in compared_videos(db, 1, 0, 1)] == ["v"]
        assert [one.name for one in compared_videos(db, 1, 1, 20)] == ["both"]
        with pytest.raises(NotFound):
            compared_videos(db, 2, 0, 20)
