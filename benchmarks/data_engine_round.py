"""A round of the data engine: nano annotates, the annotations train it, and the better model annotates the next clips.

    python benchmarks/data_engine_round.py --out runs/round

The clips are of a kind that nano never saw (``drawn_cells.py``). A simulated annotator makes the masklets of the first
ones in phase 3 with nano, through a real server, and a simulated verifier looks at them. What was accepted is exported
and trained on by ``masklet train videos``, as anybody would. Then both models are scored on clips that were held
back, and the next clips are annotated with each: what a frame costs. A run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from data_engine_table import FIELDS, against_truth, number, outcomes, project_of
from drawn_cells import write
from engine_process import EngineProcess

from masklet.data.open import open_dataset
from masklet.data_engine.client import Client
from masklet.data_engine.simulated_annotator import SimulatedAnnotator

PROMPTS = ("mask", "1 click")
FIRST, NEXT, HELD = 0, 100, 200
"""Seeds of the clips of each part."""


def masklet(*arguments: object) -> None:
    """Run the command line, as a user does."""
    subprocess.run([sys.executable, "-m", "masklet.cli.main", *map(str, arguments)], check=True)


async def exported(client: Client, project_id: int, folder: Path) -> None:
    """Unpack the accepted masklets of a project, in DAVIS's layout, into a folder."""
    job = await client.post(f"projects/{project_id}/exports", {"format": "davis", "which": "satisfactory"})
    while job["state"] not in ("done", "failed", "cancelled"):
        await asyncio.sleep(0.5)
        job = await client.get(f"jobs/{job['id']}")
    if job["state"] != "done":
        raise RuntimeError(f"the export {job['state']}: {job['error']}")
    archive = folder.with_suffix(".zip")
    archive.write_bytes(await client.get(f"jobs/{job['id']}/file"))
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(part)
    part.rename(folder)


async def annotate(args: argparse.Namespace, clips: Path, model: str, name: str, export: Path | None = None) -> Any:
    """Annotate clips with a model in a workspace of its own: what it cost, and what became of the masklets."""
    done = args.out / f"{name}.json"
    if done.exists() and (export is None or export.exists()):
        return json.loads(done.read_text())
    videos = list(open_dataset(str(clips)))
    truths = {one.name: one for one in videos}
    server = EngineProcess((args.out / f"work_{name}").absolute(), model=model)
    server.start()
    try:
        await server.ready()
        async with Client(server.address) as client:
            settings = argparse.Namespace(every=args.every, out=args.out / f"work_{name}")
            project_id = await project_of(client, 3, settings, videos)
            annotator = SimulatedAnnotator(client, truths)
            await annotator.resume(project_id)
            await annotator.work(project_id)
            (row,) = await client.get("table1", projects=str(project_id))
            found = {name: row[name] for name in FIELDS} | {"states": await outcomes(client, project_id)}
            found["truth"] = await against_truth(client, project_id, truths, args.every)
            if export is not None and not export.exists():
                await exported(client, project_id, export)
    finally:
        server.stop()
    done.write_text(json.dumps(found, indent=1))
    print(f"{name}: {found}", flush=True)
    return found


def scores(out: Path, held: Path, model: str, name: str) -> dict[str, dict[str, float]]:
    """J and F of a model on the clips that were held back, by prompt."""
    folder = out / f"eval_{name}"
    prompts = [word for prompt in PROMPTS for word in ("--prompt", prompt)]
    masklet("eval", "vos", "--data", held, "--tracker", model, *prompts, "-o", folder, "--workers", 1)
    return json.loads((folder / "run.json").read_text())["headlines"]


def table(found: dict[str, Any]) -> str:
    """What came out, in Markdown."""
    head = ["", "nano", "nano after the round"]
    rows = [head, ["---"] * 3]
    for prompt in PROMPTS:
        values = [number(100 * found["scores"][name][prompt]["J&F"]) for name in ("nano", "trained")]
        rows.append([f"held-back clips, J&F from {prompt}", *values])
    labels = ("seconds a frame", "edited frames %", "clicks an edited frame")
    for field, label in zip((*FIELDS, "truth"), (*labels, "masks with IoU > .75 with the truth %"), strict=True):
        rows.append([f"next clips: {label}", *(number(found["next"][name][field]) for name in ("nano", "trained"))])
    for state in sorted({state for one in found["next"].values() for state in one["states"]}):
        rows.append([f"next clips: {state}", *(str(one["states"].get(state, 0)) for one in found["next"].values())])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main() -> None:
    """Run it as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, nargs=3, default=(10, 6, 8), help="of the first round, next, held back")
    parser.add_argument("--every", type=int, default=2, help="distance of annotated frames")
    parser.add_argument("--minutes", type=float, default=30.0, help="of training, processor time")
    args = parser.parse_args()
    parts = {name: args.out / name for name in ("first", "next", "held")}
    for (folder, seed), clips in zip(zip(parts.values(), (FIRST, NEXT, HELD), strict=True), args.clips, strict=True):
        write(folder, seed, clips)
    round1, trained = args.out / "round1", args.out / "trained"
    found: dict[str, Any] = {"first": asyncio.run(annotate(args, parts["first"], "nano", "first_nano", round1))}
    masklet("data", "check", round1)
    masklet("train", "videos", "--data", round1, "-o", trained, "--set", f"minutes={args.minutes}")
    models = {"nano": "nano", "trained": str((trained / "weights.safetensors").absolute())}
    found["scores"] = {name: scores(args.out, parts["held"], model, name) for name, model in models.items()}
    found["next"] = {
        name: asyncio.run(annotate(args, parts["next"], model, f"next_{name}")) for name, model in models.items()
    }
    text = f"first round, with nano: {found['first']}\n\n{table(found)}"
    print(text)
    (args.out / "round.md").write_text(text, encoding="utf-8")
    (args.out / "round.json").write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
