"""One step of several methods on as many processes as a launcher started, for test_ranks.

    python one_step.py FOLDER MICRO,MICRO,... METHOD ...

METHOD is a name, in float64, or NAME:float32. A step of plain gradient descent at rate 1 leaves the
gradient itself: weights before - after. The first process writes it, with the log, to
FOLDER/MICRO/METHOD.pt, and to FOLDER/resumed.pt what `four_steps` gave twice for each of `RESUMED`.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from tiny_examples import make_example, tiny_policy

from plumbline.model.logprobs import Policy
from plumbline.model.sequences import together
from plumbline.plugins import METHODS, read_method
from plumbline.schema import Align, Batch
from plumbline.train import align as stage
from plumbline.train.geometry import solve
from plumbline.train.objective import Objective
from plumbline.train.probe import Probe
from plumbline.train.trainer import Place

OWN = Path(__file__).parent / "train" / "methods"
BATCH = 32
RESUMED = ["dpo", "power_dl"]
RECIPE = Align(
    learning_rate=1.0,
    warmup_steps=0,
    batch=Batch(pairs=BATCH, singles=BATCH, lists=BATCH),
    max_grad_norm=1e9,
    log_every=1,
)


def spec_of(name: str):
    own = OWN / f"{name}.py"
    return read_method(own if own.is_file() else METHODS / f"{name}.py")


def flat(state: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for _, value in sorted(state.items())])


def step(method: str, micro: int, folder: Path) -> dict:
    """The gradient of one global batch, and the step's log."""
    name, _, precision = method.partition(":")
    objective = Objective.of(spec_of(name), {"beta": 0.3})
    model = tiny_policy().to(getattr(torch, precision or "float64"))
    given = [make_example(objective.spec.feedback, index) for index in range(BATCH)]
    given = [replace(item, embedding=item.embedding.to(model.dtype)) for item in given]
    shape = solve(BATCH, micro)
    probe, place = Probe([make_example("pairs", 0)]), Place(folder / "work", 10**9, {})
    before = flat(model.state_dict()).clone()
    found = stage.align(Policy(model, together), given, objective, RECIPE, shape, 0, probe, place)
    after = model.state_dict() if shape.world == 1 else found.weights
    return {"gradient": before - flat(after) if after else None, "log": found.dynamics.rows}


def four_steps(name: str, folder: Path) -> dict:
    """A method's weights after four steps, two epochs, with a checkpoint after two, from which a
    second call goes on; and how many forward passes it took."""
    passes, plain = [], stage.PreferenceTrainer.compute_loss

    def compute_loss(self, *args, **options):
        passes.append(1)
        return plain(self, *args, **options)

    stage.PreferenceTrainer.compute_loss = compute_loss
    given = [make_example("pairs", index) for index in range(2 * BATCH)]
    model, probe = tiny_policy(), Probe([make_example("pairs", 0)])
    policy, objective = Policy(model, together), Objective.of(spec_of(name), {"beta": 0.3})
    recipe, shape = RECIPE.model_copy(update={"learning_rate": 0.1, "epochs": 2}), solve(BATCH, 16)
    found = stage.align(policy, given, objective, recipe, shape, 0, probe, Place(folder, 2, {}))
    stage.PreferenceTrainer.compute_loss = plain
    after = model.state_dict() if shape.world == 1 else found.weights
    return {"weights": after and flat(after), "forward passes": len(passes)}


def main(folder: str, sizes: str, *methods: str) -> None:
    torch.set_num_threads(1)
    stage.torch.optim.RMSprop = torch.optim.SGD
    for micro in sizes.split(","):
        for name in methods:
            place = Path(folder) / micro
            place.mkdir(exist_ok=True)
            found = step(name, int(micro), place)
            if solve(BATCH, int(micro)).rank == 0:
                torch.save(found, place / f"{name}.pt")
    again = {name: [four_steps(name, Path(folder) / name) for _ in range(2)] for name in RESUMED}
    if solve(BATCH, 16).rank == 0:
        torch.save(again, Path(folder) / "resumed.pt")


if __name__ == "__main__":
    main(*sys.argv[1:])
