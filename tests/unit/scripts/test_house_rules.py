from __future__ import annotations

import pytest

from scripts import house_rules


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Checks a product of these modules, by path; returns the exit code and the lines."""
    monkeypatch.setattr(house_rules, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["house_rules.py"])

    def run(**texts):
        for name, text in texts.items():
            path = tmp_path / "shared" / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        code = house_rules.main()
        return code, capsys.readouterr().out.splitlines()

    return run


def test_a_clean_product_has_no_lines(check):
    assert check(a='def one():\n    """Return 1."""\n', b="def two(): ...\n") == (0, [])


def test_a_public_name_in_two_modules_is_shown_at_both(check):
    code, lines = check(a="class Health: ...\n", b="\nHealth = int\n")
    assert code == 1
    assert lines == [
        "shared/a.py:1: Health is also defined in shared/b.py", "shared/b.py:2: Health is also defined in shared/a.py"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["_hidden", "log", "command"])
def test_private_and_allowed_names_may_stand_twice(check, name):
    assert check(a=f"{name} = 1\n", b=f"{name} = 2\n") == (0, [])


def test_type_variables_may_stand_twice(check):
    assert check(a='T = TypeVar("T")\n', b='T = TypeVar("T")\n') == (0, [])


def test_modules_of_one_name_are_shown(check):
    assert check(a__reader="", b__reader="")[1] == [
        "shared/a/reader.py:1: has the name of shared/b/reader.py",
        "shared/b/reader.py:1: has the name of shared/a/reader.py",
    ]


@pytest.mark.parametrize(
    "text", ['"""What is here."""\n', 'def f():\n    """Whether it is."""\n', 'MAX = 1\n"""How many, at most."""\n']
)
def test_a_docstring_that_begins_with_a_question_word_is_shown(check, text):
    code, (line,) = check(a=text)
    assert code == 1
    assert "a docstring begins with" in line


def test_a_module_that_is_too_long_is_shown(check):
    assert check(a="\n" * house_rules.MAX_LINES) == (0, [])
    assert check(a="\n" * (house_rules.MAX_LINES + 1))[1] == ["shared/a.py:401: has more than 400 lines: divide it"]
