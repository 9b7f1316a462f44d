from torch import Tensor

from plumbline import Pairs, method


@method(title="Broken", paper="arXiv:0000.00000v1", needs=("reference_samples",))
def uncounted_samples(batch: Pairs) -> Tensor:
    """How many samples there are is nobody's to say."""
    return batch.reference_samples.policy.mean(-1) - batch.chosen.policy
