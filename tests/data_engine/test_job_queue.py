from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from engine_work import START, later, project
from masklet.data_engine import job_queue as jobs
from masklet.data_engine.database import found
from masklet.data_engine.errors import LeaseLost, NotFound, Refused
from masklet.data_engine.schema import Job


@pytest.fixture
def p(database):
    return project(database)


def claimed(db, at=START, kinds=("export",)):
    job = jobs.claim_job(db, kinds, "holder", at=at)
    assert job is not None
    return job


def test_a_job_is_done(database, p):
    with database.begin() as db:
        jobs.add_job(db, p, "import", {})
        made = jobs.add_job(db, p, "export", {"format": "coco"})
        job = claimed(db)
        assert (job.id, job.body, job.state) == (made.id, {"format": "coco"}, "running")
        assert jobs.claim_job(db, ["export"], "other", at=START) is None
        assert jobs.job_progress(db, job.id, job.lease, 1.5, at=later(50)) is False
        assert (job.progress, job.lease_expires) == (1.0, later(110))
        job = jobs.finish_job(db, job.id, job.lease, {"key": "x"}, at=later(60))
        assert (job.state, job.result, job.done) == ("done", {"key": "x"}, later(60))
        assert [j.kind for j in jobs.jobs_of(db, p)] == ["export", "import"]
        with pytest.raises(Refused, match="nothing to cancel"):
            jobs.cancel_job(db, job.id)


def test_a_failed_job_is_tried_again(database, p):
    with database.begin() as db:
        made = jobs.add_job(db, p, "export", {})
        for state in ("waiting", "waiting", "failed"):
            job = claimed(db)
            assert jobs.fail_job(db, job.id, job.lease, "the disk is full").state == state
            if state == "waiting":
                with pytest.raises(LeaseLost):
                    jobs.job_progress(db, job.id, job.lease, 0.5)
        assert (made.error, made.tries) == ("the disk is full", 3)
        assert jobs.claim_job(db, ["export"], "h") is None


def test_one_that_cannot_succeed_is_not(database, p):
    with database.begin() as db:
        jobs.add_job(db, p, "export", {})
        job = claimed(db)
        assert jobs.fail_job(db, job.id, job.lease, "no such format", final=True).state == "failed"


def test_the_job_of_a_silent_holder_is_free(database, p):
    with database.begin() as db:
        made = jobs.add_job(db, p, "export", {})
        old = claimed(db).lease
        new = claimed(db, later(61)).lease
        for late in (jobs.finish_job, jobs.fail_job, jobs.job_progress):
            with pytest.raises(LeaseLost):
                late(
                    db,
                    made.id,
                    old,
                    **{"error": ""}
                    if late is jobs.fail_job
                    else {"progress": 1.0}
                    if late is jobs.job_progress
                    else {},
                )
        claimed(db, later(200))
        assert new != made.lease
        assert jobs.claim_job(db, ["export"], "h", at=later(400)) is None
        assert made.state == "failed"
        assert "3 times" in made.error


def test_cancelling(database, p):
    with database.begin() as db:
        waiting, running = (jobs.add_job(db, p, kind, {}) for kind in ("import", "export"))
        claimed(db)
        for job in (waiting, running):
            assert jobs.cancel_job(db, job.id, at=later(1)).state == "cancelled"
        assert jobs.claim_job(db, ["import", "export"], "h", at=later(100)) is None
        assert jobs.job_progress(db, running.id, running.lease, 0.5) is True
        assert jobs.finish_job(db, running.id, running.lease).state == "cancelled"
        assert jobs.fail_job(db, running.id, running.lease, "x").error is None
        with pytest.raises(NotFound):
            jobs.cancel_job(db, 99)
        with pytest.raises(NotFound):
            jobs.add_job(db, 99, "export", {})


def test_each_job_goes_to_one_of_those_who_claim_at_once(database, p):
    with database.begin() as db:
        ids = [jobs.add_job(db, p, "export", {}).id for _ in range(20)]

    def work(holder):
        mine = []
        while (job := database.run(jobs.claim_job, ["export"], holder)) is not None:
            mine.append(job.id)
        return mine

    with ThreadPoolExecutor(5) as pool:
        given = [job_id for mine in pool.map(work, "abcde") for job_id in mine]
    assert sorted(given) == ids
    with database.reading() as db:
        assert found(db, Job, ids[0]).lease[1] == "."
