from __future__ import annotations

import pytest
from sqlalchemy import func, select

from engine_work import act, masks, people, project, ready, taken, tracked
from masklet.data_engine import projects, tasks
from masklet.data_engine.errors import NotFound, Refused
from masklet.data_engine.job_queue import add_job
from masklet.data_engine.objects import add_object
from masklet.data_engine.schema import Project, Session, Table, Task, User
from masklet.data_engine.stored_masks import store_masklet

TRACK = {"stages": ["track", "verify"]}


def test_a_video_that_is_ready_has_its_first_task(database):
    p = project(database, videos=())
    with database.begin() as db:
        video = projects.add_video(db, p, "v.mp4", "key")
        assert video.state == "arriving"
        assert tasks.tasks_of(db, p) == []
        assert projects.video_failed(db, video.id, "it is cut off").error == "it is cut off"
        for _ in range(2):  # a job is done at least once
            video = projects.video_ready(db, video.id, 640, 480, 100, 25.0)
        assert (video.state, video.error, video.width, video.height, video.frames) == ("ready", None, 640, 480, 100)
        [task] = tasks.tasks_of(db, p)
        [session] = db.scalars(select(Session))
        assert (task.stage, task.state, task.session_id, session.copy) == ("select", "open", session.id, 0)
        assert projects.video_failed(db, video.id, "late").state == "ready"


@pytest.mark.parametrize(("stages", "first"), [(["track"], ["track"]), (["verify"], [])])
def test_the_first_stage(database, stages, first):
    p = project(database, stages=stages)
    with database.begin() as db:
        assert [task.stage for task in tasks.tasks_of(db, p)] == first


def test_counts(database):
    [ann] = people(database, "ann")
    p, _ = project(database, "b", videos=("v", "w"), **TRACK), project(database, "a", videos=())
    tracked(database, ann, p, o1=20, o2=30)
    with database.reading() as db:
        empty, full = projects.list_projects(db)
    assert (empty.project.name, empty.videos, empty.objects, empty.tasks) == ("a", {}, {}, {})
    assert full.videos == {"ready": 2}
    assert full.objects == {"tracked": 2}
    assert full.tasks == {("track", "done"): 1, ("track", "open"): 1, ("verify", "open"): 2}


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize(
    "wrong", [{"name": "p"}, {"name": ""}, {"phase": 4}, {"every": 0}, {"model": ""}, {"settings": {"x": 1}}]
)
def test_projects_that_cannot_be(database, wrong):
    project(database)
    with database.begin() as db, pytest.raises(Refused):
        projects.add_project(db, **{"name": "q", "phase": 3, "model": "nano"} | wrong)


def test_changing_a_project(database):
    p, q = project(database), project(database, "q", videos=())
    with database.begin() as db:
        row = projects.change_project(db, p, name="new", model="tiny", settings={"own_review": True})
        assert (row.name, row.model, row.settings["own_review"]) == ("new", "tiny", True)
        with pytest.raises(Refused, match="another name"):
            projects.change_project(db, p, name="q")
        with pytest.raises(Refused, match="make another project"):
            projects.change_project(db, p, settings={"annotators": 2})
        assert projects.change_project(db, q, settings={"annotators": 2}).settings["annotators"] == 2
        with pytest.raises(NotFound):
            projects.change_project(db, 99)


def test_names_of_videos_are_their_own_in_a_project(database):
    p, q = project(database), project(database, "q")
    with database.begin() as db:
        with pytest.raises(Refused, match="rename the file"):
            projects.add_video(db, p, "v", "k")
        assert [video.name for video in projects.videos_of(db, q)] == ["v"]
        for missing in (lambda: projects.add_video(db, 99, "v", "k"), lambda: projects.video_failed(db, 99, "")):
            with pytest.raises(NotFound):
                missing()


def test_removing_a_video_leaves_nothing_of_it(database):
    [ann, eve] = people(database, "ann", "eve")
    p = project(database, videos=("v", "w"), **TRACK)
    with database.begin() as db:
        task = taken(db, ann, p, "track")
        add_object(db, task.video_id, ann.id)
        act(db, task, ann, "a", frame=0)
        tasks.submit(db, task.id, ann, task.lease, {1: masks()})
        made = add_object(db, task.video_id, None, state="proposed")
        store_masklet(db, made.id, masks())
        add_job(db, p, "automatic", {}, video_id=task.video_id)
        verifying = taken(db, eve, p, "verify")
        tasks.verdict(db, verifying.id, eve, verifying.lease, "unsatisfactory")
        keys = list(db.scalars(select(Session.key).where(Session.video_id == task.video_id)))
    with database.begin() as db:
        gone = projects.remove_video(db, task.video_id)
        assert (gone.key, list(gone.sessions)) == (f"key of v in {p}", keys)
    with database.begin() as db:
        left = {
            table.name: db.scalar(select(func.count()).select_from(table)) for table in Table.metadata.sorted_tables
        }
        assert {name: count for name, count in left.items() if count} == {
            "users": 2,
            "projects": 1,
            "videos": 1,
            "sessions": 1,
            "tasks": 1,
        }
        with pytest.raises(NotFound):
            projects.remove_video(db, task.video_id)
        ready(db, p, "v")  # the name is free again
        assert db.scalar(select(func.count()).select_from(Task)) == 2
        assert {type(db.get(kind, 1)) for kind in (User, Project)} == {User, Project}
