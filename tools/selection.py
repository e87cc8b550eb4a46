#!/usr/bin/env python3.11
"""What a change asks to be tested: `tools/selection.py [BASE]` prints it; tools/test --changed runs it.

Changed is what differs from BASE (by default, where this branch left main), committed or not. Each test file says which
folders it proves, in AREAS: folders of src/, or folders below them, or python/slipway, python/services, deploy.
- A file runs whole when one of its areas has changed.
- Of a file whose areas depend on what has changed (tools/layers.toml, also through others), EXAMPLE runs: a case from
  end to end. The unit tests of all such folders run.
What no folder stands for (tests' fixtures, requirements, the build) asks for everything; documents ask for nothing.
"""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS: dict[str, list[str]] = tomllib.loads((ROOT / "tools/layers.toml").read_text())
OTHER_AREAS = ("python/slipway", "python/services", "deploy")
NOTHING = (".md", ".svg", ".gitignore", "LICENSE")
NOT_TESTED = ("bench/", "docs/", "tests/fuzz/", "tests/matrix/", "python/demo/", "tests/faults")


def declared(name: str, file: Path):
    """The value of a test file's constant; None where it has none."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return ast.literal_eval(node.value)
    return None


def test_files() -> dict[Path, list[str]]:
    """Each test file and its areas."""
    return {file: declared("AREAS", file) or [] for file in sorted((ROOT / "tests").glob("test_*.py"))}


def problems() -> list[str]:
    """For check_layers.py: test files that do not say what they prove, or name what is not there."""
    found = []
    for file, areas in test_files().items():
        name = file.relative_to(ROOT)
        if not areas:
            found.append(f"{name}: says nothing of what it proves: AREAS = [folders of src/]")
        for area in areas:
            if area not in OTHER_AREAS and not (ROOT / "src" / area).is_dir():
                found.append(f"{name}: AREAS names {area}, but there is no folder src/{area}")
        example = declared("EXAMPLE", file)
        if example and f"def {example}(" not in file.read_text():
            found.append(f"{name}: EXAMPLE names {example}, which is no test of it")
    return found


def layer(area: str) -> str:
    return area.split("/")[0]


def is_changed(area: str, changed: set[str]) -> bool:
    """A folder stands for what is below it; what is beside sub-folders stands for all of them."""
    return any(area == one or area.startswith(one + "/") or one.startswith(area + "/") for one in changed)


def depends(area: str, changed: set[str]) -> bool:
    """Whether an area's folder may reach one that has changed."""
    reached, waiting = set(), [layer(area)]
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached.add(one)
            waiting += LAYERS.get(one, [])
    return any(layer(one) in reached for one in changed if one not in OTHER_AREAS)


def changed_files(base: str) -> list[str]:
    def git(*arguments: str) -> list[str]:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()

    return sorted({*git("diff", "--name-only", base), *git("ls-files", "--others", "--exclude-standard")})


def left_main() -> str:
    for main in ("main", "origin/main", "master", "origin/master"):
        found = subprocess.run(["git", "merge-base", "HEAD", main], cwd=ROOT, capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.strip()
    return "HEAD"


def area_of(name: str) -> str | None:
    """The folder that a changed file stands for; None: it is in none of them."""
    if name.startswith("src/"):
        return "/".join(Path(name).parts[1:-1]) or None
    if name.startswith("deploy/"):
        return "deploy"
    if name.startswith(("python/slipway/", "pyproject.toml", "tools/wheel")):
        return "python/slipway"
    return None


def importers(name: str) -> list[Path]:
    """The test files that use a module beside them."""
    module = Path(name).stem
    return [file for file in test_files() if f"from {module} import" in file.read_text()]


def select(files: list[str]) -> dict[str, list[str]]:
    """What to run: `tests` (arguments of pytest), `units` (folders of src/), `sources` (for clang-tidy)."""
    changed, whole, everything = set(), set(), False
    for name in files:
        if name.endswith(NOTHING) or name.startswith(NOT_TESTED):
            continue
        if area := area_of(name):
            changed.add(area)
        elif name.startswith("tests/test_"):
            whole.add(ROOT / name)
        elif name.startswith("tests/golden/") and (ROOT / "src" / Path(name).parts[2]).is_dir():
            changed.add(Path(name).parts[2])
        elif name.startswith("tests/") and name.endswith(".py") and "conftest" not in name:
            whole |= set(importers(name))
        else:
            everything = True
    tests, examples = [], []
    for file, areas in test_files().items():
        if everything or file in whole or any(is_changed(area, changed) for area in areas):
            tests.append(str(file.relative_to(ROOT)))
        elif any(depends(area, changed) for area in areas):
            if example := declared("EXAMPLE", file):
                examples.append(f"{file.relative_to(ROOT)}::{example}")
    units = [one for one in LAYERS if everything or depends(one, changed)]
    sources = [one for one in files if one.startswith("src/") and one.endswith(".cc") and not one.endswith("_test.cc")]
    beside = [one.removesuffix(".h") + ".cc" for one in files if one.startswith("src/") and one.endswith(".h")]
    sources += [one for one in beside if one not in sources]
    return {
        "tests": [one for one in tests if (ROOT / one).exists()] + examples,
        "units": [one for one in units if any((ROOT / "src" / one).rglob("*_test.cc"))],
        "sources": [one for one in sources if (ROOT / one).exists()],
    }


if __name__ == "__main__":
    for what, names in select(changed_files(sys.argv[1] if len(sys.argv) > 1 else left_main())).items():
        print(f"{what}: {' '.join(names) or 'none'}")
