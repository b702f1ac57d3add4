"""Where a network can be cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import CutError
from shared.ftp.windows import refuse_untileable

if TYPE_CHECKING:
    from shared.model.network import Network


def deepest_cut(network: Network) -> tuple[str, ...]:
    """The deepest single map behind which the network can be cut so that all before it can be tiled.

    Raises CutError, with the reason of the first layer, when there is none.
    """
    consumers = dict.fromkeys(network.shapes, 0)
    for tensor in (*(tensor for layer in network.layers for tensor in layer.inputs), *network.outputs):
        consumers[tensor] = consumers.get(tensor, 0) + 1
    alive = {network.input: consumers.get(network.input, 0)}
    deepest: tuple[str, ...] | None = None
    refusal = CutError(f"{network.name} has no layers")
    for layer in network.layers:
        try:
            refuse_untileable(layer, network.shapes)
        except CutError as error:
            refusal = error
            break
        for tensor in layer.inputs:
            alive[tensor] -= 1
            if not alive[tensor]:
                del alive[tensor]
        alive.update({tensor: consumers[tensor] for tensor in layer.outputs if consumers.get(tensor)})
        if len(alive) == 1:
            deepest = (next(iter(alive)),)
    if deepest is None:
        raise CutError(f"{network.name} cannot be tiled: {refusal}")
    return deepest
