from __future__ import annotations

import zipfile

import pytest

from shared.errors import ConfigurationError
from shared.process.installation import complete_extras, find_clone, installed_extras, program_here, version_of_wheel

REQUIREMENTS = [
    "click>=8.1",
    "opencv-python-headless>=5; extra == 'cameras'",
    'deepthings[cameras]; extra == "edge"',
    "onnx>=1.17; extra == 'edge'",
    "deepthings[edge]; extra == 'gateway'",
    "rich>=13.9; extra == 'gateway'",
    "matplotlib; python_version < '4' and extra == 'bench'",
]


@pytest.mark.parametrize(
    ("installed", "extras"),
    [
        (["opencv-python-headless", "onnx", "rich"], ["cameras", "edge", "gateway"]),
        (["opencv-python-headless", "onnx"], ["cameras", "edge"]),
        (["onnx", "rich"], []),
        (["opencv-python-headless", "rich", "matplotlib"], ["bench", "cameras"]),
        ([], []),
    ],
)
def test_an_extra_is_installed_when_all_its_packages_are(installed, extras):
    assert complete_extras(REQUIREMENTS, installed.__contains__) == extras


def test_this_installation_has_what_the_tests_need():
    assert {"gateway", "edge", "cameras"} <= set(installed_extras())


def test_this_installation_is_a_clone():
    assert (find_clone() / "pyproject.toml").exists()
    assert (find_clone() / program_here()).exists()


def test_the_version_is_read_from_the_wheel(tmp_path):
    path = tmp_path / "deepthings-9.8-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("deepthings-9.8.dist-info/METADATA", "Metadata-Version: 2.4\nName: deepthings\nVersion: 9.8\n\n")
    assert version_of_wheel(path) == "9.8"


@pytest.mark.parametrize("name", ["other-1.0.dist-info/METADATA", "readme"])
def test_what_is_no_wheel_of_ours_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as wheel:
        wheel.writestr(name, "")
    (tmp_path / "y.whl").write_text("no archive")
    for path in (tmp_path / "x.whl", tmp_path / "y.whl"):
        with pytest.raises(ConfigurationError, match="not a wheel of DeepThings"):
            version_of_wheel(path)
