"""What makes a run's number another than a claim's."""

from plumbline.operate.comparable import differences


def test_differences_by_hand():
    wanted = {"path": "a", "keep": {"desirable": 0.01}}
    assert list(differences(wanted, {"path": "a", "keep": {"desirable": 0.01}, "seed": 3})) == []
    assert list(differences(wanted, {"path": "b", "keep": {"desirable": 1.0}})) == [
        "path: 'b', not 'a'",
        "keep.desirable: 1.0, not 0.01",
    ]
    assert list(differences(wanted, None)) == [f"None, not {wanted!r}"]
