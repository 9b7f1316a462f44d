"""The PRO paper's claims, and its own tables as a run."""

from pathlib import Path

import pytest

from plumbline.operate import claims

#: The tables as they were typed off the paper, not from config/claims/pro.yaml.
PUBLISHED = Path(__file__).parent / "published"


@pytest.fixture(scope="session")
def pro(repository: Path) -> claims.Claims:
    return claims.read(repository / "config/claims/pro.yaml")


@pytest.fixture(scope="session")
def published() -> Path:
    return PUBLISHED
