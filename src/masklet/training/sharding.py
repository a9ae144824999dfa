"""Sharded training (FSDP2): every process keeps a slice of the weights, gradients, moments and averages.

Blocks of the trunk, which every process runs once a step, are whole only while they run. Everything else is whole
during a step: how often it runs depends on the samples, so that processes would wait for each other's slices in vain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from ..model.efficientnet import EfficientNetLite

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch.distributed.device_mesh import DeviceMesh


def sharded_fabric(accelerator: str, devices: int, precision: Any = "32-true") -> Fabric:
    """A Fabric that starts so many processes and spreads what is learned over them.

    Raises:
        ValueError: There is nothing to spread over, or this torch does not allow it.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.launchers.multiprocessing import _MultiProcessingLauncher
    from lightning_fabric.strategies.model_parallel import ModelParallelStrategy
    from torch.distributed import fsdp

    if devices < 2 or accelerator not in ("cpu", "cuda"):
        raise ValueError(f"sharded training needs 2 processes or more on cpu or cuda, got {devices} on {accelerator}")
    if not hasattr(fsdp, "fully_shard"):
        raise ValueError(f"sharded training needs torch 2.6 or later, got {torch.__version__}")
    backend = "nccl" if accelerator == "cuda" else "gloo"
    strategy = ModelParallelStrategy(_shard, devices, 1, process_group_backend=backend)
    fabric = Fabric(accelerator=accelerator, devices=devices, strategy=strategy, precision=precision)
    # Fabric's own launcher of this strategy runs the script that called it once more.
    strategy._launcher = _MultiProcessingLauncher(strategy, start_method="spawn")
    return fabric


def _shard(learner: nn.Module, mesh: DeviceMesh) -> nn.Module:
    from torch.distributed.fsdp import fully_shard

    over = mesh["data_parallel"]
    trunk: Any = learner.get_submodule("model.image_encoder.trunk")
    for part in trunk.stages if isinstance(trunk, EfficientNetLite) else trunk.blocks:
        fully_shard(part, mesh=over)
    learner.register_forward_hook(_same_gradients)  # before those of FSDP, which take the whole weights away
    fully_shard(learner, mesh=over, reshard_after_forward=False)
    return learner


def _same_gradients(learner: nn.Module, inputs: Any, outputs: tuple[Tensor, Any]) -> tuple[Tensor, Any]:
    """Give weights that any process has a gradient for one on every process, of zeros; the others keep none.

    Which weights a step reaches depends on its samples, and FSDP sums what there is without asking what that is.
    """
    loss, rest = outputs
    reached, nodes = set(), [loss.grad_fn]
    seen = set(nodes)
    while nodes:
        node = nodes.pop()
        variable = getattr(node, "variable", None)
        if variable is not None:
            reached.add(id(variable))
        for parent, _ in () if node is None else node.next_functions:
            if parent is not None and parent not in seen:
                seen.add(parent)
                nodes.append(parent)
    complete = [p for p in learner.parameters() if p.requires_grad and not isinstance(p, DTensor)]
    here = torch.tensor([id(p) in reached for p in complete], dtype=torch.float32, device=loss.device)
    anywhere = here.clone()
    torch.distributed.all_reduce(anywhere, torch.distributed.ReduceOp.MAX)
    for p, missing in zip(complete, (anywhere > here).tolist(), strict=True):
        if missing:
            loss = loss + 0.0 * p.sum()
    return loss, rest


def is_sharded(model: nn.Module) -> bool:
    """Whether any process keeps slices of the weights alone."""
    return any(isinstance(p, DTensor) for p in model.parameters())


def whole(tensor: Tensor) -> Tensor:
    """A tensor of which every process has a slice, whole; all processes must ask. Others come back as they are."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def gathered(tree: Any, keep: bool) -> Any:
    """Nested dicts and lists with whole tensors in them, sharded ones on the CPU; all processes must ask.

    Args:
        tree: What there is.
        keep: Of this process; False: helps, and gets nothing in place of sharded tensors.
    """
    if isinstance(tree, dict):
        return {key: gathered(value, keep) for key, value in tree.items()}
    if isinstance(tree, list):
        return [gathered(value, keep) for value in tree]
    if not isinstance(tree, DTensor):
        return tree
    complete = whole(tree)
    return complete.cpu() if keep else None


def spread(value: Tensor, like: Tensor) -> Tensor:
    """A whole tensor, placed as another one of its shape is; all processes must ask."""
    value = value.to(like.device)
    return distribute_tensor(value, like.device_mesh, like.placements) if isinstance(like, DTensor) else value
