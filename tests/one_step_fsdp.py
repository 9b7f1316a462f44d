"""`one_step` under FSDP2, on a machine without GPUs.

accelerate shares weights out on accelerators only. Here it is told that gloo's processes on the
CPU are such: all that follows, from sharding to gathering, is FSDP2's own.
"""

import sys

import one_step
import torch
from accelerate.state import PartialState
from accelerate.utils import DistributedType
from torch.nn import Module


def backend(self, *_, **__) -> tuple[str, DistributedType]:
    return "gloo", DistributedType.MULTI_GPU


def device(self) -> None:
    self.device = torch.device("cpu")


def kinds(model: Module) -> set[str]:
    """The classes that FSDP has given a share: the policy and each of its layers."""
    return {type(item).__name__ for item in model.modules() if type(item).__name__[:4] == "FSDP"}


def check(trainer: type) -> None:
    """Have the trainer make sure that it trains shares, not copies."""
    plain = trainer.compute_loss

    def compute_loss(self, model, *args, **options):
        assert kinds(model) == {"FSDPPolicy", "FSDPGPTNeoXLayer"}, kinds(model)
        return plain(self, model, *args, **options)

    trainer.compute_loss = compute_loss


if __name__ == "__main__":
    torch.distributed.init_process_group("gloo")
    PartialState._prepare_backend, PartialState.set_device = backend, device
    check(one_step.stage.PreferenceTrainer)
    one_step.main(*sys.argv[1:])
