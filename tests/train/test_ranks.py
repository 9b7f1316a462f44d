"""One global batch of 32, cut in six ways: the same gradient to 1e-9 (1e-4 in float32), and log.

1 x 32 is one forward pass; 4 x 8 accumulates; two processes of 16 talk through gloo, with copies
of the model or, as fsdp2, with shares of it. DPO is the
plain loss, SimPO divides by lengths, and of the others many couple the examples of a batch: by a
mean (KTO, BCO), by sorting (AOT) or pair by pair (Relative PO).
"""

import os
import subprocess
import sys
from pathlib import Path

import one_step
import pytest
import torch
from one_step import RESUMED, four_steps, spec_of, step

from plumbline.train import align

HERE = Path(one_step.__file__).parent
SIZES = ["16", "8"]
COUPLED = ["kto", "aot", "aot_unpaired", "bco", "bco_udm", "relative_po", "apo_down_unpaired"]
METHODS = ["dpo", "simpo", "pro_s", *COUPLED, *(f"{name}:float32" for name in COUPLED[::2])]
PARTED = ["4x8", "2 processes of 16", "2 processes of 2x8", "fsdp2 of 16", "fsdp2 of 2x8"]


def launch(script: str, launcher: str, folder: Path) -> dict:
    """{size: {method: gradient and log}} of two processes that accelerate starts."""
    folder.mkdir()
    command = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "2"]
    command += ["--config_file", f"config/accelerate/{launcher}.yaml", "--main_process_port", "0"]
    done = subprocess.run(
        [*command, HERE / script, folder, ",".join(SIZES), *METHODS],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=HERE.parent,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    gradients = {
        size: {name: torch.load(folder / size / f"{name}.pt") for name in METHODS} for size in SIZES
    }
    return gradients | {"resumed": torch.load(folder / "resumed.pt")}


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict:
    """{geometry: {method: gradient and log}}"""
    folder = tmp_path_factory.mktemp("geometries")
    copies = launch("one_step.py", "ddp", folder / "copies")
    shares = launch("one_step_fsdp.py", "fsdp2", folder / "shares")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(align.torch.optim, "RMSprop", torch.optim.SGD)
        alone = {size: {name: step(name, size, folder) for name in METHODS} for size in (32, 8)}
        once = {name: four_steps(name, folder / name) for name in RESUMED}
    found = [alone[8], *(copies[size] for size in SIZES), *(shares[size] for size in SIZES)]
    resumed = {"ddp": copies["resumed"], "fsdp2": shares["resumed"]}
    return {"1x32": alone[32], **dict(zip(PARTED, found, strict=True)), **resumed, "once": once}


def precision(method: str) -> float:
    return 1e-4 if method.endswith("float32") else 1e-9


@pytest.mark.parametrize("geometry", PARTED)
@pytest.mark.parametrize("method", METHODS)
def test_the_gradient_is_the_same(found, method, geometry):
    whole, parted = found["1x32"][method], found[geometry][method]
    difference = (whole["gradient"] - parted["gradient"]).norm() / whole["gradient"].norm()
    assert difference < precision(method) and whole["gradient"].norm() > 1e-3


@pytest.mark.parametrize("geometry", PARTED)
@pytest.mark.parametrize("method", METHODS)
def test_the_log_is_the_same(found, method, geometry):
    whole, parted = found["1x32"][method]["log"], found[geometry][method]["log"]
    assert [{**row, "value": 0} for row in whole] == [{**row, "value": 0} for row in parted]
    values, tolerance = [row["value"] for row in whole], max(1e-6, precision(method) / 10)
    assert [row["value"] for row in parted] == pytest.approx(values, rel=1e-5, abs=tolerance)
    assert {"loss", "gradient_norm", "chosen_logratio"} <= {row["metric"] for row in whole}


@pytest.mark.parametrize("launcher", ["ddp", "fsdp2"])
@pytest.mark.parametrize("method", RESUMED)
def test_processes_go_on_from_their_checkpoint_together(found, method, launcher):
    """Four steps at once, and the last two again from the checkpoint after the second. With
    POWER-DL an example's label is found again in whichever process it is next."""
    first, second = found[launcher][method]
    assert (first["forward passes"], second["forward passes"]) == (4, 2)
    assert torch.equal(first["weights"], second["weights"])
    alone = found["once"][method]["weights"]
    assert (first["weights"] - alone).norm() < 1e-9 * alone.norm()


def test_which_of_the_methods_are_coupled():
    names = [name for name in METHODS if ":" not in name]
    assert [name for name in names if spec_of(name).card.coupled] == COUPLED
