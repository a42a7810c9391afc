"""The mutations of make mutants: each still has its text and its tests, and a broken copy is noticed."""

from pathlib import Path

import mutants
import pytest
from mutations import MUTATIONS, Mutation

ROOT = Path(__file__).parents[1]


def test_every_mutation_has_its_text_and_its_tests():
    assert len(MUTATIONS) >= 40
    for mutation in MUTATIONS:
        text = (ROOT / mutation.file).read_text()
        assert mutants.mutated(text, mutation) != text
        assert all((ROOT / name).exists() for name in mutation.tests.split(" -k ")[0].split())
        assert all(source == "LEVEL" or (ROOT / "csrc" / source).exists() for source in mutation.rebuild)


def test_a_text_that_is_gone_is_an_error():
    with pytest.raises(LookupError, match="has 'b' 0 times, must have it once"):
        mutants.mutated("a", Mutation("f.py", "b", "c", "tests"))


@pytest.mark.parametrize(("new", "left"), [("2", False), ("1 + 0", True)])
def test_what_no_test_notices_survives_and_the_copy_is_mended(new, left, tmp_path):
    (tmp_path / "broken.py").write_text("one = 1\n")
    (tmp_path / "test_broken.py").write_text("from broken import one\n\n\ndef test_one():\n    assert one == 1\n")
    assert mutants.survives(tmp_path, Mutation("broken.py", "= 1", f"= {new}", "test_broken.py")) == left
    assert (tmp_path / "broken.py").read_text() == "one = 1\n"
