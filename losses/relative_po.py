from torch import Tensor
from torch.nn.functional import logsigmoid, normalize, softmax

from plumbline import Pairs, Positive, method


@method(
    title="Relative PO",
    paper="arXiv:2402.10958v2",
    needs=("reference", "embedding"),
    coupled=True,
    oracle="hand calculation; TRL `sigmoid` at a temperature close to zero",
    axes=("pair-wise", "offline", "reference", "general"),
)
def relative_po(batch: Pairs, *, beta: Positive = 0.1, temperature: Positive = 0.5) -> Tensor:
    """Each chosen response against every rejected one of the batch, more if prompts are alike.

    Equations of the contrast matrix and its weights, arXiv:2402.10958v2:

        L_i  = - (1/B) sum_j log sigma(beta w_ij (h_w,i - h_l,j))
        w_i. = softmax over j of cos(e_i, e_j) / t

        h_w, h_l  batch.chosen.logratio, batch.rejected.logratio
        e         batch.embedding
        t         temperature (tau in the paper)
        beta      beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, reference,
            and embeddings [B, H] of their prompts.
        beta: > 0, per nat.
        temperature: > 0; the smaller, the more a pair's own rejected response counts. The authors
            try 0.25, 0.5 and 0.75.

    Returns:
        [B], nats, lower is better; unreduced: row i of the matrix belongs to pair i.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end. The paper's
        distance 1 - cos gives the same softmax.
    Deviations: e is the SFT model's mean last hidden state over the prompt, where the authors take
        a sentence encoder (all-MiniLM-L6-v2): cosines of hidden states lie closer together, so
        that one temperature weighs more evenly here. The matrix is that of the global batch. As in
        the authors' code the weight stands inside the sigmoid: beta w_ij is what multiplies.
    Limits: log 2 at policy = reference, with gradient -beta/(2B) on chosen. `dpo` on a batch of
        one; (dpo_i + (B - 1) log 2) / B at a temperature close to zero, if no prompts are equal.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> needed = [{"reference": tensor([-11.0, -9.0])}, {"reference": tensor([-11.5, -8.0])}]
    >>> chosen = Completions(tensor([-10.0, -9.0]), tensor([4, 3]), needed[0])
    >>> rejected = Completions(tensor([-12.0, -11.0]), tensor([5, 4]), needed[1])
    >>> prompts = {"embedding": tensor([[1.0, 0.0], [0.6, 0.8]])}
    >>> relative_po(Pairs(chosen, rejected, prompts), beta=0.1)
    tensor([0.6379, 0.6402])

    References: Yin et al., Relative Preference Optimization: Enhancing LLM Alignment through
        Contrasting Responses across Identical and Diverse Prompts, arXiv:2402.10958v2;
        yinyueqin/relative-preference-optimization at c1b5163, `RPOTrainer`.
    """
    direction = normalize(batch.embedding, dim=-1)
    weight = softmax(direction @ direction.T / temperature, dim=-1)  # equation of the weights
    contrast = batch.chosen.logratio.unsqueeze(1) - batch.rejected.logratio  # [B, B]
    return -logsigmoid(beta * weight * contrast).mean(-1)  # equation of the contrast matrix
