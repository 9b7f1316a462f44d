"""A loss that couples its whole batch, for tests: log-ratios are sorted over it."""

from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(title="AOT", paper="arXiv:2406.05882v2", needs=("reference",), coupled=True)
def aot(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """Unpaired alignment by optimal transport: k-th best chosen against k-th best rejected."""
    chosen, _ = batch.chosen.logratio.sort()
    rejected, _ = batch.rejected.logratio.sort()
    return -logsigmoid(beta * (chosen - rejected))
