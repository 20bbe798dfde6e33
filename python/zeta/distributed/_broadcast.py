"""Where tensors lie that are broadcast to rows, as masks and alphas are."""

from typing import Any

from torch import Tensor
from torch.distributed.tensor import DTensor, Placement, Replicate, Shard

from zeta.distributed._redistribute import redistributed
from zeta.distributed._split_rows import SplitRows


def placement_of_broadcast(rows: Placement, dimensions: int, tensor: Any) -> Placement:
    """Return how a tensor is placed that is broadcast to rows of so many dimensions."""
    if not isinstance(rows, Shard):
        return Replicate()
    dim = rows.dim - (dimensions - tensor.ndim)
    return Shard(dim) if dim >= 0 and tensor.shape[dim] > 1 else Replicate()


def aligned(tensor: DTensor, rows: DTensor | SplitRows) -> DTensor:
    """Place a tensor where the rows are that it is broadcast to."""
    dimensions = len(rows.shape)
    return redistributed(
        tensor, [placement_of_broadcast(place, dimensions, tensor) for place in rows.placements]
    )


def check_broadcast(name: str, argument: str, expected: str, tensor: Tensor, z: DTensor) -> None:
    """Raise an error that says what was ``expected``, unless the tensor is on the mesh of z."""
    if not isinstance(tensor, DTensor):
        raise TypeError(
            f"{name}: expected {argument} to be {expected}, but got {type(tensor).__name__}; "
            f"pass distribute_tensor({argument}, z.device_mesh)"
        )
    if tensor.device_mesh != z.device_mesh:
        raise RuntimeError(
            f"{name}: expected {argument} to be on the mesh of z, {z.device_mesh}, but got "
            f"{tensor.device_mesh}"
        )
