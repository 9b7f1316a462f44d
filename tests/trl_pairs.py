"""TRL's losses on one pair at a time, with gradients: what a mean over a batch would hide.

Imports neither `plumbline` nor a file of `losses/`.
"""

import torch
import trl_losses
from torch import Tensor


def dpo(loss_type: str, zoo, dtype: torch.dtype = torch.float64, **settings) -> Tensor:
    """[3, B]: losses of `DPOTrainer` on pairs alone, then dL/dlogp of chosen and of rejected.

    zoo: `golden_zoo`, for its per-token policy and reference; settings: as `trl_losses.dpo` takes.
    """
    pairs = len(zoo.policy) // 2
    columns = []
    for item in range(pairs):
        both = item, item + pairs
        policy = [zoo.policy[side].to(dtype).requires_grad_() for side in both]
        reference = [zoo.reference[side].to(dtype) for side in both]
        loss = trl_losses.dpo(loss_type, policy, reference, **settings)
        slopes = torch.autograd.grad(loss, policy, allow_unused=True, materialize_grads=True)
        columns.append([loss.item(), *(slope[0].item() for slope in slopes)])
    return torch.tensor(columns, dtype=torch.float64).T
