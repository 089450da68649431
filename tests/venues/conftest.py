"""What the tests of the guard start from."""

import pytest
from guarded import Post


@pytest.fixture
def post(tmp_path):
    """A trader with a guard, made as asked for; its files are let go at the end."""
    made = []

    def new(*given, **limits):
        made.append(Post(tmp_path, *given, **limits))
        return made[-1]

    yield new
    for one in made:
        one.stop()
