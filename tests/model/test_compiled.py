from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import torch
from masklet.model.compiled import compile_parts
from tiny_model import SMALL_HIERA, pass_of, tiny_model

graphs = []


def traced(graph, _inputs, **_options):
    graphs.append(graph)
    return graph.forward


plain, names = pass_of(tiny_model(SMALL_HIERA, seed=1)), set(tiny_model(SMALL_HIERA, seed=1).state_dict())
model = compile_parts(tiny_model(SMALL_HIERA, seed=1), mode="reduce-overhead", backend=traced)
got = pass_of(model)
assert len(graphs) >= 4, len(graphs)  # four parts; a part that is not one graph fails
assert set(model.state_dict()) == names
assert all(torch.allclose(got[name], value, atol=1e-5) for name, value in plain.items())
print("compiled")
"""


def test_every_part_is_one_graph():
    # In a process of its own: what checks types in tests cannot be traced.
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert run.stdout == "compiled\n", run.stderr
