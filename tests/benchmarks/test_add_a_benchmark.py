import re

import pytest

from plumbline.plugins import load_benchmark, read_benchmark
from plumbline.score import summarise


@pytest.fixture(scope="module")
def documented(repository, tmp_path_factory):
    """The example of docs/add_a_benchmark.md, as a file."""
    text = (repository / "docs" / "add_a_benchmark.md").read_text()
    path = tmp_path_factory.mktemp("benchmarks") / "politeness.py"
    path.write_text(re.search(r"```python\n(.*?)```", text, re.S)[1])
    return read_benchmark(path)


def test_the_documented_benchmark_works(documented, respond, toyland_data):
    module = load_benchmark(documented)
    prompts = module.prompts(toyland_data, "test", limit=4)
    said = [["thanks"], ["no"], ["no thanks"], []]
    answers = {row["id"]: texts for row, texts in zip(prompts, said, strict=True)}
    items = module.score(respond(prompts, lambda row: answers[row["id"]]), word="thanks")
    [row] = summarise(module, documented, items)
    assert row["value"] == pytest.approx(200 / 3)
    assert (row["n"], row["n_expected"], row["status"]) == (3, 4, "incomplete")
