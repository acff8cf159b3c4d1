import hypothesis
import pytest
import torch

hypothesis.settings.register_profile("perdure", deadline=None, derandomize=True, max_examples=30)
hypothesis.settings.load_profile("perdure")
torch.set_num_threads(1)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
