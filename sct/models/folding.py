"""Networks without batch norm, for prediction."""

import copy
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["without_batch_norm"]


def without_batch_norm(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode whose batch norms are folded into the convolutions right before them.

    The same function up to rounding, without a pass over each activation. Only where a `Sequential` shows what follows
    what; other batch norms stay.
    """
    copied = copy.deepcopy(network).eval()
    for block in [module for module in copied.modules() if isinstance(module, nn.Sequential)]:
        for k, (layer, following) in enumerate(pairwise(list(block))):
            if isinstance(layer, nn.Conv2d) and isinstance(following, nn.BatchNorm2d):
                block[k], block[k + 1] = fuse_conv_bn_eval(layer, following), nn.Identity()
    return copied
