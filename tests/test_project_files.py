"""The project's other files agree with each other: workflows, hooks, citation, versions."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import thinnet

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = [path for path in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")) if path.stem != "config"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(path: Path) -> list[dict[str, Any]]:
    """The steps of all jobs of a workflow."""
    return [step for job in read(path)["jobs"].values() for step in job.get("steps", [])]


def commands(target: str) -> list[str]:
    """The command lines of a Makefile target."""
    found = re.search(rf"^{target}:[^\n]*\n((?:\t[^\n]*\n)+)", MAKEFILE, re.MULTILINE)
    assert found, target
    return [line.strip() for line in found[1].splitlines()]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_commands_that_the_project_has(path: Path) -> None:
    called = [step["run"] for step in steps(path) if step.get("run", "").startswith("make ")]
    assert called
    for command in called:
        assert commands(command.split()[1])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_read_only_and_ends(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert "uses" in job or job["timeout-minutes"] <= 60, name


def test_all_commands_that_must_pass_are_in_the_workflow() -> None:
    called = {step["run"].split()[1] for step in steps(ROOT / ".github" / "workflows" / "tests.yml") if "run" in step}
    assert called == {"test", "test-oldest", "lint", "docs"}


def test_the_pythons_that_are_tested_are_those_that_are_promised() -> None:
    tested = read(ROOT / ".github" / "workflows" / "tests.yml")["jobs"]["tests"]["strategy"]["matrix"]["python"]
    promised = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if "Python :: 3." in line]
    assert tested == promised
    assert PROJECT["requires-python"] == f">={tested[0]}"


def test_only_the_job_that_publishes_may_prove_who_it_is() -> None:
    jobs = read(ROOT / ".github" / "workflows" / "release.yml")["jobs"]
    assert [name for name, job in jobs.items() if "id-token" in job.get("permissions", {})] == ["publish"]
    assert jobs["publish"]["needs"] == "build"
    assert jobs["build"]["needs"] == "tests"


def test_the_hooks_before_a_commit_are_those_of_make_lint() -> None:
    hooks = [hook["entry"] for part in read(ROOT / ".pre-commit-config.yaml")["repos"] for hook in part["hooks"]]
    assert hooks == [line.replace("$(BIN)", ".venv/bin") for line in commands("lint")]


def test_the_citation_names_this_version_and_license() -> None:
    citation = read(ROOT / "CITATION.cff")
    assert citation["version"] == thinnet.__version__
    assert citation["license"] == PROJECT["license"]
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in PROJECT["authors"]]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_for_issues_asks_for_what_it_needs(path: Path) -> None:
    form = read(path)
    assert {"name", "description", "body"} <= set(form)
    fields = [part for part in form["body"] if part["type"] != "markdown"]
    assert len({part["id"] for part in fields}) == len(fields)
    assert all(part["attributes"]["label"] for part in fields)


def test_each_dependency_has_a_lowest_version() -> None:
    """`make test-oldest` uses these versions."""
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for requirement in itertools.chain.from_iterable(groups):
        assert requirement.startswith("thinnet[") or re.search(r">=\d", requirement), requirement
