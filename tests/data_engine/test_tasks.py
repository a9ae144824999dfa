from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import func, select

from engine_work import START, act, later, masks, overlapping, people, project, ready, taken, tracked
from masklet.data_engine import objects, tasks
from masklet.data_engine.agreement import consensus
from masklet.data_engine.database import found
from masklet.data_engine.errors import Forbidden, LeaseLost, NotFound, Refused
from masklet.data_engine.judgements import judgements_of
from masklet.data_engine.schema import Judgement, Masklet, Object, Session, Task
from masklet.data_engine.stored_masks import masks_of, newest_masklets, store_masklet

TRACK = {"stages": ["track", "verify"]}


def states(database):
    with database.reading() as db:
        return {o.number: o.state for o in db.scalars(select(Object))}


def queue(database, project_id, stage, state="open"):
    with database.reading() as db:
        return tasks.tasks_of(db, project_id, stage, state, at=START)


def judge(database, user, project_id, verdict, at=START, **more):
    with database.begin() as db:
        task = taken(db, user, project_id, "verify", at)
        tasks.verdict(db, task.id, user, task.lease, verdict, at=at, **more)
        return found(db, Object, task.object_id).number


def test_a_video_passes_all_stages(database):
    [ann, bob, eve] = people(database, "ann", "bob", "eve")
    p = project(database)
    assert queue(database, p, "track") == []
    with database.begin() as db:
        task = taken(db, ann, p, "select")
        objects.add_object(db, task.video_id, ann.id)
        assert tasks.submit(db, task.id, ann, task.lease, {}).new_sessions == ()
        task = taken(db, bob, p, "track")
        tasks.submit(db, task.id, bob, task.lease, {1: masks()})
    assert states(database) == {1: "tracked"}
    assert judge(database, eve, p, "satisfactory", comment="fine", frame=3, seconds=4.0) == 1
    assert states(database) == {1: "satisfactory"}
    for stage in ("select", "track", "verify"):
        [task] = queue(database, p, stage, "done")
        assert task.done_by == {"select": ann.id, "track": bob.id, "verify": eve.id}[stage]
        assert task.assignee_id is None
    with database.reading() as db:
        [said] = judgements_of(db, 1)
    assert (said.verdict, said.comment, said.frame, said.seconds, said.user_id) == (
        "satisfactory",
        "fine",
        3,
        4.0,
        eve.id,
    )
    assert queue(database, p, "verify", "done")[0].seconds == 4.0


def test_verification_is_worst_first(database):
    [ann, bob] = people(database, "ann", "bob")
    p = project(database, **TRACK)
    with database.begin() as db:
        task = taken(db, ann, p, "track")
        for _ in range(3):
            objects.add_object(db, task.video_id, ann.id)
        quality = {1: 0.9, 2: 0.3, 3: 0.6}
        tasks.submit(db, task.id, ann, task.lease, {n: masks(iou=iou) for n, iou in quality.items()})
    assert [task.priority for task in queue(database, p, "verify")] == pytest.approx([0.3, 0.6, 0.9])
    assert [judge(database, bob, p, "satisfactory") for _ in range(3)] == [2, 3, 1]


def test_nobody_verifies_what_they_tracked(database):
    [ann, bob] = people(database, "ann", "bob")
    p = project(database, **TRACK)
    tracked(database, ann, p, o1=30)
    with database.begin() as db:
        [task] = tasks.tasks_of(db, p, "verify")
        assert tasks.claim(db, ann, p, "verify") is None
        with pytest.raises(Refused, match="another person"):
            tasks.claim_task(db, ann, task.id)
        assert tasks.claim_task(db, bob, task.id).assignee_id == bob.id


def test_with_own_review_they_may(database):
    [ann] = people(database, "ann")
    p = project(database, own_review=True, **TRACK)
    tracked(database, ann, p, o1=30)
    assert judge(database, ann, p, "satisfactory") == 1


def test_roles(database):
    [ann] = people(database, "ann", role="annotator")
    [eve] = people(database, "eve", role="verifier")
    p = project(database, **TRACK)
    with database.begin() as db:
        [task] = tasks.tasks_of(db, p, "track")
        for user, stage in ((ann, "verify"), (eve, "track"), (eve, "select")):
            with pytest.raises(Forbidden, match=f"{user.name} .* may not"):
                tasks.claim(db, user, p, stage)
        with pytest.raises(Forbidden):
            tasks.claim_task(db, eve, task.id)
        assert tasks.claim(db, ann, p, "track") is not None


def test_only_annotated_and_prompted_frames_are_kept(database):
    [ann] = people(database, "ann")
    p = project(database, every=4, simulated=True, **TRACK)
    with database.begin() as db:
        task = taken(db, ann, p, "track")
        objects.add_object(db, task.video_id, ann.id)
        act(db, task, ann, "a", frame=0, clicks=3)
        act(db, task, ann, "b", frame=0, clicks=1)
        act(db, task, ann, "c", frame=5, kind="mask", clicks=0)
        act(db, task, ann, "d", frame=7, clicks=2)  # undone later: no prompt is left there
        handed = masks()
        handed[5] = handed[5].__class__(**{**vars(handed[5]), "prompted": True})
        tasks.submit(db, task.id, ann, task.lease, {1: handed})
        masklet = newest_masklets(db, task.video_id)[1]
        assert [m.frame for m in masks_of(db, masklet.id)] == [0, 4, 5]
        assert (masklet.frames, masklet.edited, masklet.clicks) == (3, 2, 6)
        assert masklet.quality == pytest.approx(0.9)
        assert [m.frame for m in masks_of(db, masklet.id, 1, 4)] == [4]
        assert masks_of(db, masklet.id, 4, 1)[0] == handed[4]


def test_an_unsatisfactory_object_comes_back(database):
    [ann, bob, eve] = people(database, "ann", "bob", "eve")
    p = project(database, **TRACK)
    tracked(database, ann, p, o1=30, o2=20)
    for _ in range(2):
        judge(database, eve, p, "unsatisfactory", at=later(1))
    assert states(database) == {1: "unsatisfactory", 2: "unsatisfactory"}
    [task] = queue(database, p, "track")  # one for both objects
    assert (task.round, task.session_id) == (2, 1)
    with database.begin() as db:
        task = taken(db, bob, p, "track", later(2))
        with pytest.raises(Refused, match="object 2 has no mask"):
            tasks.submit(db, task.id, bob, task.lease, {1: masks(right=31)}, at=later(3))
        tasks.submit(db, task.id, bob, task.lease, {1: masks(right=31), 2: masks(right=21)}, at=later(3))
        assert {n: m.user_id for n, m in newest_masklets(db, task.video_id).items()} == {1: bob.id, 2: bob.id}
        assert [t.round for t in tasks.tasks_of(db, p, "verify", "open")] == [2, 2]
        assert tasks.claim(db, ann, p, "verify") is None  # some of the work is hers


def test_what_is_good_is_not_verified_again_unless_it_was_edited(database):
    [ann, eve] = people(database, "ann", "eve")
    p = project(database, **TRACK)
    tracked(database, ann, p, o1=30, o2=20, o3=10)
    for verdict in ("satisfactory", "unsatisfactory", "satisfactory"):
        judge(database, eve, p, verdict, at=later(1))
    with database.begin() as db:
        task = taken(db, ann, p, "track", later(2))
        act(db, task, ann, "a", frame=0, number=3, kind="trim")
        tasks.submit(db, task.id, ann, task.lease, {n: masks() for n in (1, 2, 3)}, at=later(3))
    assert states(database) == {1: "satisfactory", 2: "tracked", 3: "tracked"}
    assert {task.object_id for task in queue(database, p, "verify")} == {2, 3}


def test_an_object_that_comes_back_while_its_video_is_worked_on(database):
    [ann, eve] = people(database, "ann", "eve")
    p = project(database, **TRACK)
    tracked(database, ann, p, o1=30, o2=20)
    judge(database, eve, p, "unsatisfactory", at=later(1))
    with database.begin() as db:
        task = taken(db, ann, p, "track", later(2))
    judge(database, eve, p, "unsatisfactory", at=later(3))
    assert queue(database, p, "track") == []  # nobody else may work in the same session
    with database.begin() as db:
        tasks.submit(db, task.id, ann, task.lease, {1: masks(), 2: masks()}, at=later(4))
    assert states(database) == {1: "tracked", 2: "unsatisfactory"}
    assert [t.round for t in queue(database, p, "track")] == [3]


def test_an_ill_defined_object_is_rejected(database):
    [ann, eve] = people(database, "ann", "eve")
    p = project(database, **TRACK)
    tracked(database, ann, p, o1=30)
    judge(database, eve, p, "ill_defined")
    assert states(database) == {1: "ill_defined"}
    assert queue(database, p, "track") == queue(database, p, "verify") == []


def test_a_removed_object_is_not_verified(database):
    [ann, eve] = people(database, "ann", "eve")
    p = project(database, **TRACK)
    tracked(database, ann, p, o1=30, o2=20)
    with database.begin() as db:
        task = taken(db, eve, p, "verify")
        objects.remove_object(db, task.object_id)
        with pytest.raises(LeaseLost):
            tasks.verdict(db, task.id, eve, task.lease, "satisfactory")
        assert [*newest_masklets(db, task.video_id)] == [2]
    assert [task.object_id for task in queue(database, p, "verify")] == [2]


def test_nothing_to_hand_in(database):
    [ann] = people(database, "ann")
    p = project(database, **TRACK)
    with database.begin() as db:
        task = taken(db, ann, p, "track")
        with pytest.raises(Refused, match="nothing was annotated"):
            tasks.submit(db, task.id, ann, task.lease, {})
        objects.add_object(db, task.video_id, ann.id)
        with pytest.raises(Refused, match="object 1 has no mask"):
            tasks.submit(db, task.id, ann, task.lease, {})
        with pytest.raises(Refused, match="expected each once, from 0 to 7"):
            tasks.submit(db, task.id, ann, task.lease, {1: masks(0, 8)})


def test_an_object_whose_row_was_lost_is_handed_in_all_the_same(database):
    [ann] = people(database, "ann")
    p = project(database, **TRACK)
    with database.begin() as db:
        task = taken(db, ann, p, "track")
        tasks.submit(db, task.id, ann, task.lease, {4: masks()})
    assert states(database) == {4: "tracked"}


def test_handing_in_again_is_answered_again(database):
    [ann, eve] = people(database, "ann", "eve")
    p = project(database, annotators=2)
    with database.begin() as db:
        task = taken(db, ann, p, "select")
        objects.add_object(db, task.video_id, ann.id)
        first = tasks.submit(db, task.id, ann, task.lease, {})
        assert len(first.new_sessions) == 1
    with database.begin() as db:
        assert tasks.submit(db, task.id, ann, task.lease, {}) == first
        with pytest.raises(LeaseLost):
            tasks.submit(db, task.id, eve, task.lease, {})
        with pytest.raises(LeaseLost):
            tasks.submit(db, task.id, ann, "x", {})
    assert len(queue(database, p, "track")) == 2
    with database.begin() as db:
        for user in (ann, eve):
            task = taken(db, user, p, "track")
            tasks.submit(db, task.id, user, task.lease, {1: masks()})
    [bob] = people(database, "bob")
    with database.begin() as db:
        task = taken(db, bob, p, "verify")
        said = tasks.verdict(db, task.id, bob, task.lease, "unsatisfactory")
        assert tasks.verdict(db, task.id, bob, task.lease, "unsatisfactory").id == said.id
        assert len(judgements_of(db, task.object_id)) == 1
    assert len(queue(database, p, "track")) == 1


def test_copies_are_compared_before_verification(database):
    [ann, bob, cid, eve] = people(database, "ann", "bob", "cid", "eve")
    p = project(database, annotators=3)
    with database.begin() as db:
        task = taken(db, eve, p, "select")
        objects.add_object(db, task.video_id, eve.id)
        new = tasks.submit(db, task.id, eve, task.lease, {}).new_sessions
        keys = list(db.scalars(select(Session.key).order_by(Session.copy)))
        assert new == ((keys[0], keys[1]), (keys[0], keys[2]))
    for user, right in ((ann, 10), (bob, 28), (cid, 30)):
        assert queue(database, p, "verify") == []
        with database.begin() as db:
            task = taken(db, user, p, "track")
            assert tasks.claim(db, user, p, "track", at=START) is None  # no second copy for one person
            tasks.submit(db, task.id, user, task.lease, {1: masks(right=right)})
    [task] = queue(database, p, "verify")
    with database.begin() as db:
        assert consensus(db, found(db, Object, 1)).session_id == task.session_id
        assert newest_masklets(db, 1)[1].user_id == bob.id  # 28 is nearest to 10 and 30
        assert newest_masklets(db, 1, session_id=1)[1].user_id == ann.id
    judge(database, eve, p, "unsatisfactory", at=later(1))
    with database.begin() as db:
        assert tasks.claim(db, ann, p, "track") is None  # it is bob's copy
        again = taken(db, bob, p, "track", later(2))
        assert (again.round, again.session_id) == (2, task.session_id)
        tasks.submit(db, again.id, bob, again.lease, {1: masks(right=29)}, at=later(3))
        assert newest_masklets(db, 1)[1].task_id == again.id


def test_proposals_of_a_model_are_verified(database):
    [ann] = people(database, "ann")
    p = project(database, **TRACK)
    with database.begin() as db:
        for iou in (0.8, 0.5, 0.6):
            made = objects.add_object(db, 1, None, origin="automatic", state="proposed")
            store_masklet(db, made.id, masks(iou=iou))
        assert len(tasks.add_verify_tasks_for_automatic(db, 1)) == 3
        assert tasks.add_verify_tasks_for_automatic(db, 1) == []
    assert [judge(database, ann, p, v) for v in ("ill_defined", "unsatisfactory", "satisfactory")] == [2, 3, 1]
    assert states(database) == {1: "satisfactory", 2: "ill_defined", 3: "unsatisfactory"}
    with database.begin() as db:  # the open task of the video takes the third one in
        task = taken(db, ann, p, "track", later(1))
        tasks.submit(db, task.id, ann, task.lease, {1: masks(), 3: masks(right=11)}, at=later(2))
        newest = newest_masklets(db, 1)
        assert {n: m.task_id for n, m in newest.items()} == {1: None, 2: None, 3: task.id}
    assert states(database) == {1: "satisfactory", 2: "ill_defined", 3: "tracked"}
    assert [task.object_id for task in queue(database, p, "verify")] == [3]


def test_leases(database):
    [ann, bob] = people(database, "ann", "bob")
    p = project(database, lease_seconds=60, **TRACK)
    with database.begin() as db:
        task = taken(db, ann, p, "track")
        assert task.lease_expires == later(60)
        assert tasks.claim(db, bob, p, "track", at=later(59)) is None
        assert tasks.heartbeat(db, task.id, ann, task.lease, at=later(50)) == later(110)
        for user, lease in ((bob, task.lease), (ann, "x")):
            with pytest.raises(LeaseLost, match="no longer yours"):
                tasks.heartbeat(db, task.id, user, lease)
        with pytest.raises(Refused, match="somebody else"):
            tasks.claim_task(db, bob, task.id, at=later(100))


def test_a_task_of_somebody_who_vanished_is_free(database):
    [ann, bob] = people(database, "ann", "bob")
    p = project(database, **TRACK)
    with database.begin() as db:
        task = taken(db, ann, p, "track")
        old = task.lease
        objects.add_object(db, task.video_id, ann.id)
    with database.begin() as db:
        taken(db, bob, p, "track", later(61))
    with database.begin() as db:
        for late in (
            lambda: tasks.submit(db, task.id, ann, old, {1: masks()}),
            lambda: tasks.heartbeat(db, task.id, ann, old),
            lambda: tasks.release(db, task.id, ann, old),
            lambda: tasks.check_lease(db, task.id, ann, old),
        ):
            with pytest.raises(LeaseLost):
                late()
        assert db.scalar(select(Masklet.id)) is None
        mine = found(db, Task, task.id)
        tasks.submit(db, mine.id, bob, mine.lease, {1: masks()})


def test_a_lease_that_ran_out_is_good_until_somebody_takes_the_task(database):
    [ann] = people(database, "ann")
    p = project(database, **TRACK)
    with database.begin() as db:
        task = taken(db, ann, p, "track")
        assert tasks.tasks_of(db, p, "track", "leased", at=later(61)) == []
        assert tasks.tasks_of(db, p, "track", "open", at=later(61)) == [task]
        assert tasks.heartbeat(db, task.id, ann, task.lease, at=later(90)) == later(150)


def test_a_page_that_loads_again_takes_its_task_again(database):
    [ann] = people(database, "ann")
    p = project(database, **TRACK)
    with database.begin() as db:
        task = taken(db, ann, p, "track")
        old = task.lease
        assert tasks.claim_task(db, ann, task.id, at=later(5)).lease != old
        with pytest.raises(LeaseLost):
            tasks.heartbeat(db, task.id, ann, old)
        assert tasks.tasks_of(db, p, user_id=ann.id) == [task]


def test_a_released_task_is_free(database):
    [ann, bob] = people(database, "ann", "bob")
    p = project(database, **TRACK)
    with database.begin() as db:
        task = taken(db, ann, p, "track")
        tasks.release(db, task.id, ann, task.lease)
        assert tasks.claim_task(db, bob, task.id).assignee_id == bob.id


@pytest.mark.usefixtures("as_user")
def test_what_does_not_exist(database):
    [ann] = people(database, "ann")
    p = project(database, **TRACK)
    with database.begin() as db:
        for missing in (
            lambda: tasks.claim(db, ann, 99, "track"),
            lambda: tasks.claim_task(db, ann, 99),
            lambda: tasks.submit(db, 99, ann, "x", {}),
            lambda: tasks.verdict(db, 99, ann, "x", "satisfactory"),
            lambda: tasks.heartbeat(db, 99, ann, "x"),
        ):
            with pytest.raises(NotFound):
                missing()
        with pytest.raises(Refused, match="expected one of select, track, verify"):
            tasks.claim(db, ann, p, "dance")


@pytest.mark.usefixtures("as_user")
def test_verdicts_are_for_verification(database):
    [ann, eve] = people(database, "ann", "eve")
    p = project(database, **TRACK)
    with database.begin() as db:
        task = taken(db, ann, p, "track")
        with pytest.raises(Refused, match="hand the task in"):
            tasks.verdict(db, task.id, ann, task.lease, "satisfactory")
    with database.begin() as db:
        tasks.submit(db, task.id, ann, task.lease, {1: masks()})
        verifying = taken(db, eve, p, "verify")
        with pytest.raises(Refused, match="ends with a verdict"):
            tasks.submit(db, verifying.id, eve, verifying.lease, {})
        with pytest.raises(Refused, match="expected one of satisfactory"):
            tasks.verdict(db, verifying.id, eve, verifying.lease, "nice")


def test_threads_that_claim_at_once_get_each_task_once(database):
    workers, count = people(database, *"abcdefgh"), 40
    p = project(database, videos=tuple(f"video {i}" for i in range(count)), **TRACK)

    def work(user):
        mine = []
        while (task := database.run(tasks.claim, user, p, "track")) is not None:
            mine.append(task.id)
        return mine

    with ThreadPoolExecutor(8) as pool:
        given = [task_id for mine in pool.map(work, workers) for task_id in mine]
    assert sorted(given) == sorted(task.id for task in queue(database, p, "track", None))
    assert len(given) == count


WORK = """
import sys
from masklet.data_engine import tasks
from masklet.data_engine.database import Database, found
from masklet.data_engine.schema import User

url, user_id, project_id, most = sys.argv[1], *map(int, sys.argv[2:])
database = Database(url)
with database.begin() as db:
    user = found(db, User, user_id)
print("ready", flush=True)
sys.stdin.readline()
done = []
while (task := database.run(tasks.claim, user, project_id, "verify")) is not None:
    if len(done) == most:
        print("left", task.id)
        break
    database.run(tasks.verdict, task.id, user, task.lease, "satisfactory")
    done.append(task.id)
print("done", *done)
"""


def test_processes_share_the_work_and_one_that_dies_loses_nothing(database):
    count, [ann, *others] = 30, people(database, "ann", "a", "b")
    p = project(database, videos=(), **TRACK)
    with database.begin() as db:
        video_id = ready(db, p, "v")
        for _ in range(count):
            made = objects.add_object(db, video_id, None, state="proposed")
            store_masklet(db, made.id, masks(0))
        tasks.add_verify_tasks_for_automatic(db, video_id)
    url = database._engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    arguments = [(url, str(user.id), str(p), str(most)) for user, most in zip(others, (3, -1), strict=True)]
    processes = [
        subprocess.Popen([sys.executable, "-c", WORK, *each], stdin=-1, stdout=-1, text=True) for each in arguments
    ]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate()[0].split() for process in processes]
    left = [int(words[1]) for words in said if words[0] == "left"]
    done = [int(word) for words in said for word in words[words.index("done") + 1 :]]
    assert len(done) == len({*done}) == count - len(left)
    with database.begin() as db:  # the lease of the one that died runs out
        assert tasks.claim(db, ann, p, "verify") is None
        again = [tasks.claim(db, ann, p, "verify", at=later(10**9)) for _ in left]
        assert [task.id for task in again] == left
        assert db.scalar(select(func.count()).select_from(Judgement)) == len(done)


def test_copies_handed_in_at_once_open_verification_once(database):
    ann, bob, eve = people(database, "ann", "bob", "eve")
    p = project(database, annotators=2)
    with database.begin() as db:
        task = taken(db, eve, p, "select")
        objects.add_object(db, task.video_id, eve.id)
        tasks.submit(db, task.id, eve, task.lease, {})
    with database.begin() as db:
        given = [(user, taken(db, user, p, "track")) for user in (ann, bob)]
    overlapping(database, *(partial(submitted, task_id=t.id, user=user, lease=t.lease) for user, t in given))
    assert len(queue(database, p, "verify", None)) == 1


def submitted(db, task_id, user, lease):
    return tasks.submit(db, task_id, user, lease, {1: masks()})


def test_one_person_who_claims_twice_at_once_gets_one_copy(database):
    [ann, eve] = people(database, "ann", "eve")
    p = project(database, annotators=3)
    with database.begin() as db:
        task = taken(db, eve, p, "select")
        tasks.submit(db, task.id, eve, task.lease, {})
    claimed = partial(tasks.claim, user=ann, project_id=p, stage="track")
    one, other = overlapping(database, claimed, claimed)
    assert one is not None
    assert other is None


def test_a_lease_that_is_taken_over_while_it_is_used(database):
    """Whoever comes first has it: either the other one gets nothing, or what was handed in is refused."""
    [ann, bob] = people(database, "ann", "bob")
    p = project(database, videos=("v", "w"), **TRACK)
    with database.begin() as db:
        held = [taken(db, ann, p, "track") for _ in range(2)]
    hand_in = [partial(submitted, task_id=t.id, user=ann, lease=t.lease) for t in held]
    claimed = partial(tasks.claim_task, user=bob, at=later(61))
    with pytest.raises(Refused, match="is done"):
        overlapping(database, hand_in[0], partial(claimed, task_id=held[0].id))
    with pytest.raises(LeaseLost):
        overlapping(database, partial(claimed, task_id=held[1].id), hand_in[1])
