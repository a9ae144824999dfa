"""Table 1 of the SAM 2 paper by a simulated annotator: what a frame costs in phases 1, 2 and 3 of the data engine.

    python benchmarks/data_engine_table.py --data ../shared/data/videos/dev --out runs/table1

Starts a real server (SQLite in the output folder), makes a project a phase, and does all tasks of them through the API.
A run that was stopped goes on: videos, tasks and masks are in the server's database. Seconds are simulated
(``masklet.data_engine.simulated_tracking``); the figures of the paper are of people, a brush and other videos.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from engine_process import EngineProcess

from masklet.data.open import open_dataset
from masklet.data.records import AnnotatedVideo
from masklet.data_engine.client import Client
from masklet.data_engine.simulated_annotator import SimulatedAnnotator
from masklet.data_engine.simulated_tracking import Behaviour
from masklet.evaluation.metrics import jaccard
from masklet.masks import rle

PHASES = {1: "image model on every frame", 2: "masks propagated", 3: "full model"}
PAPER = {
    1: (37.8, 100.0, 4.80, None, None, None, None),
    2: (7.4, 23.25, 3.61, 86.4, 71.3, 80.4, 97.9),
    3: (4.5, 19.04, 2.68, 89.1, 72.8, 81.8, 100.0),
}
"""Seconds a frame, edited frames in %, clicks an edited frame, alignment in %: all, small, medium, large."""
FIELDS = ("seconds_a_frame", "edited_frames_percent", "clicks_per_edited_frame")
ALIGNMENTS = tuple(f"alignment_{size}" for size in ("all", "small", "medium", "large"))


def as_zip(video: AnnotatedVideo, folder: Path) -> Path:
    """The frames of a video as an archive, made once."""
    path = folder / f"{video.name}.zip"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with zipfile.ZipFile(part, "w") as archive:
            for t in range(video.frame_count):
                archive.write(video.frames.file(t), f"{t:05d}.jpg")
        part.rename(path)
    return path


async def project_of(client: Client, phase: int, args: argparse.Namespace, videos: list[AnnotatedVideo]) -> int:
    """Id of the project of a phase, with all videos."""
    name = f"phase {phase}, every {args.every}"
    there = {one["name"]: one["id"] for one in await client.get("projects")}
    if name not in there:
        settings = {"stages": ["track", "verify"], "own_review": True, "simulated": True}
        body = {"name": name, "phase": phase, "every": args.every, "settings": settings}
        there[name] = (await client.post("projects", body))["id"]
    project_id = there[name]
    known = {one["name"] for one in await client.get(f"projects/{project_id}/videos")}
    for video in videos:
        if f"{video.name}.zip" not in known:
            await client.upload(project_id, as_zip(video, args.out / "videos"))
    failed = [one["error"] for one in await client.wait_for_videos(project_id) if one["state"] == "failed"]
    if failed:
        raise RuntimeError(failed[0])
    return project_id


async def against_truth(client: Client, project_id: int, videos: Mapping[str, AnnotatedVideo], every: int) -> float:
    """Percent of the masks that overlap the truth by more than 0.75, frames where both are empty left out."""
    scores: list[float] = []
    for one in await client.get(f"projects/{project_id}/videos"):
        truth = videos[one["name"].removesuffix(".zip")]
        numbers = {o["number"]: int(o["name"].split()[1]) for o in await client.get(f"videos/{one['id']}/objects")}
        masks: dict[tuple[int, int], Any] = {}
        for mask in await client.masks(one["id"], 0, one["frames"]):
            masks[mask["frame"], mask["object"]] = rle.decode({"size": list(truth.size), "counts": mask["counts"]})
        nothing = np.zeros(truth.size, bool)
        for t in (t for t in truth.annotated if t % every == 0):
            true = truth.masks(t)
            for number, wanted in numbers.items():
                pair = masks.get((t, number), nothing), true.get(wanted, nothing)
                if pair[0].any() or pair[1].any():
                    scores.append(float(jaccard(*pair)))
    return 100 * float(np.mean([score > 0.75 for score in scores])) if scores else float("nan")


def table(rows: Mapping[int, Mapping[str, Any]]) -> str:
    """The table in Markdown."""
    head = [
        "phase",
        "",
        "s / frame",
        "edited %",
        "clicks / edited",
        "alignment %",
        "S",
        "M",
        "L",
        "IoU > .75 with truth %",
    ]
    lines = [head, ["---"] * len(head)]
    for phase, row in rows.items():
        ours = [row.get(name) for name in (*FIELDS, *ALIGNMENTS)]
        aligned = ours if phase != 1 else [*ours[:3], None, None, None, None]
        lines.append([f"{phase} {PHASES[phase]}", "nano", *map(number, aligned), number(row["truth"])])
        lines.append(["", "paper", *map(number, PAPER[phase]), "-"])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def number(value: float | None) -> str:
    """A figure of the table."""
    return "-" if value is None else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


async def run(args: argparse.Namespace) -> None:
    """Do everything that is still to be done, and print the table."""
    dataset = open_dataset(args.data)
    videos = list(dataset)[: args.clips]
    truths = {one.name: one for one in videos}
    server = EngineProcess(args.out.absolute() / "workspace", model=args.model, workers=1)
    server.start()
    try:
        await server.ready()
        async with Client(server.address) as client:
            behaviour = Behaviour(args.stop_below, args.wanted, args.most_clicks, args.accept)
            rows, ids = {}, {}
            for phase in args.phases:
                ids[phase] = await project_of(client, phase, args, videos)
                started, annotator = time.monotonic(), SimulatedAnnotator(client, truths, behaviour)
                await annotator.resume(ids[phase])
                await annotator.work(ids[phase])
                done = ", ".join(f"{count} {stage}" for stage, count in annotator.done.items()) or "nothing to do"
                print(f"phase {phase}: {done}, {time.monotonic() - started:.0f} s", flush=True)
            query: dict[str, Any] = {"projects": ",".join(map(str, ids.values()))}
            if 1 in ids:
                query["reference"] = ids[1]
            for phase, row in zip(ids, await client.get("table1", **query), strict=True):
                rows[phase] = {**row, "truth": await against_truth(client, ids[phase], truths, args.every)}
            outcome = {phase: await outcomes(client, i) for phase, i in ids.items()}
    finally:
        server.stop()
    note = f"{len(videos)} clips, every {args.every}, model {args.model}, {behaviour}\nverdicts: {outcome}\n"
    text = f"{table(rows)}\n{note}"
    print(text)
    (args.out / "table1.md").write_text(text, encoding="utf-8")
    (args.out / "table1.json").write_text(json.dumps({"rows": rows, "note": note}, indent=1), encoding="utf-8")


async def outcomes(client: Client, project_id: int) -> dict[str, int]:
    """Objects of a project by state."""
    found: Counter[str] = Counter()
    for video in await client.get(f"projects/{project_id}/videos"):
        found.update(one["state"] for one in await client.get(f"videos/{video['id']}/objects"))
    return dict(found)


def main() -> None:
    """Run it as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="../shared/data/videos/dev", help="videos with masks, of any known format")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, help="the first so many only")
    parser.add_argument("--every", type=int, default=4, help="distance of annotated frames; of 24 a second 4 are 6")
    parser.add_argument("--phases", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--model", default="nano")
    parser.add_argument("--stop-below", type=float, default=Behaviour.stop_below)
    parser.add_argument("--wanted", type=float, default=Behaviour.wanted)
    parser.add_argument("--most-clicks", type=int, default=Behaviour.most_clicks)
    parser.add_argument("--accept", type=float, default=Behaviour.accept)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
