"""The tree of errors, exit codes of the command, and what to suggest for an unknown name."""

import pytest

from emocolor import errors
from emocolor.errors import EmocolorError, OfferError, nearest

CLASSES = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, EmocolorError)]


def test_the_tree_is_drawn_as_it_is():
    """Every class stands in the module's docstring, indented below its base."""
    lines = [line for line in errors.__doc__.splitlines() if "Error " in line and line.startswith("    ")]
    depth = {name: line.index(name) for line in lines for name in [line.strip(" │├└─").split()[0]]}
    assert set(depth) == {cls.__name__ for cls in CLASSES}
    for cls in CLASSES:
        if cls is not EmocolorError:
            assert depth[cls.__name__] == depth[cls.__base__.__name__] + 4


def test_what_the_command_ends_with_differs_where_callers_react_differently():
    codes = {cls.__name__: cls.exit_code for cls in CLASSES if cls.__base__ is EmocolorError}
    assert codes.pop("RequestError") == EmocolorError.exit_code == 1  # a client's; it never ends the command
    assert sorted(codes.values()) == [2, 4, 5, 6, 7]
    assert errors.OutOfMemoryError.exit_code == errors.EngineError.exit_code


def test_an_offer_says_what_is_wrong_with_it():
    error = OfferError("too large", "The offer has 2 MB.")
    assert (error.problem, str(error)) == ("too large", "The offer has 2 MB.")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("tnt", "; did you mean 'tint'?"),
        ("TINT", "; did you mean 'tint'?"),
        ("xyz", "; known are tint, grade."),
        ("", "; known are tint, grade."),
    ],
)
def test_nearest_names_one_or_all(name, hint):
    assert nearest(name, iter(["tint", "grade"])) == hint
