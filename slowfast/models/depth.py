"""At which depth of a network a parameter lies, from the order and the numbers in the names."""

import re
from collections.abc import Callable

from slowfast.models.network import Network, trained_names
from slowfast.utils.errors import InputError

# Up to the number of a block: `encoder.layer.3`, a stage and its block `features.1.0`, or `layers.1.blocks.0`.
_BLOCK = re.compile(r"^(?:.*?\.)??[a-z_]*\d*(?:\.\d+)+(?:\.(?:blocks|layers?)\.\d+)?(?=\.)")


def layers_of(network: Network) -> tuple[Callable[[str], int], int]:
    """Return what gives the layer of a parameter's name, and the index of the last layer.

    0 is what stands before the first block, each block one more, the last one all behind the blocks and the head
    (Clark et al., ELECTRA, ICLR 2020; BEiT). What stands between two blocks belongs to the one before it.

    A network may tell it itself, by `layer_of(name)` and `num_layers`.

    Raises:
        InputError: the names number no blocks.
    """
    if hasattr(network, "layer_of"):
        return network.layer_of, network.num_layers
    trained = trained_names(network)
    names = [name for name, _ in network.named_parameters()]
    found = {name: _BLOCK.match(name) for name in names if not name.startswith(trained)}
    numbered = list(dict.fromkeys(match[0] for match in found.values() if match))
    blocks = [name for name in numbered if not any(other.startswith(f"{name}.") for other in numbered)]  # no stages
    found = {name: match if match and match[0] in blocks else None for name, match in found.items()}
    if len(blocks) < 2:
        raise InputError(
            f"SOLVER.LAYER_DECAY is set, but the parameters of {type(network).__name__} number no blocks and it has no "
            "`layer_of(name)` and `num_layers`; set it to 1.0"
        )
    layers, layer = {}, 0
    for name, match in found.items():
        layer = blocks.index(match[0]) + 1 if match else layer
        layers[name] = layer
    last = max(number for number, name in enumerate(found) if found[name])
    behind = len(blocks) + 1
    layers |= {name: behind for number, name in enumerate(found) if number > last}
    return lambda name: layers.get(name, behind), behind
