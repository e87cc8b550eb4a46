"""The bills of materials of the wheel and of the image: sbom.py DIST, after tools/wheel has built into DIST.

What the wheel holds is known from where it came, not from a list kept by hand:
- shared libraries that auditwheel has copied: dpkg knows the package of each (auditwheel's own list, by PEP 770 in the
  wheel, leaves out those that Debian keeps below /lib);
- headers compiled into the program: ninja knows every file that the compiler read, dpkg the package of each;
- the API's page: drf-spectacular-sidecar, whose files the program carries;
- Python packages: what pip would install beside the wheel, by its own resolver.
The image is that on top of the base image of deploy/Dockerfile, whose own packages its makers list.
"""

import json
import re
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

ROOT = Path(__file__).resolve().parent.parent


def component(purl: PackageURL, how: str, kind=ComponentType.LIBRARY) -> Component:
    return Component(
        type=kind,
        name=purl.name,
        version=purl.version,
        purl=purl,
        bom_ref=purl.to_string(),
        scope=ComponentScope.REQUIRED,
        properties=[Property(name="slipway:how", value=how)],
    )


def lines_of(*command) -> list[str]:
    done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return done.stdout.splitlines()


def packages_of(files: list[str], how: str) -> list[Component]:
    """The Debian packages that files or patterns of files come from, each of which must have one."""
    packages = sorted({line.split(":")[0] for line in lines_of("dpkg-query", "-S", *files)})
    found = lines_of("dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *packages)
    return [component(PackageURL("deb", "debian", *line.split()), how) for line in found]


def shared_libraries(wheel: Path) -> list[Component]:
    with zipfile.ZipFile(wheel) as inside:
        names = [Path(name).name for name in inside.namelist() if ".libs/" in name and ".so" in name]
    # auditwheel puts a digest into each name: libfmt-4f700944.so.9.1.0.
    return packages_of(["*/" + re.sub(r"-[0-9a-f]{8}\b", "", name) for name in names], "shared library in the wheel")


def compiled_in() -> list[Component]:
    read = re.findall(r"/usr/\S+", "\n".join(lines_of("ninja", "-C", "build/wheel", "-t", "deps")))
    files = sorted({str(Path(file).resolve()) for file in read})
    return packages_of(files, "headers compiled into the program")


def carried_page() -> Component:
    name = "drf-spectacular-sidecar"
    return component(PackageURL("pypi", None, name, version(name)), "files within the program")


def python_packages(wheel: Path) -> list[Component]:
    resolve = ["install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-", wheel]
    report = json.loads("\n".join(lines_of(sys.executable, "-m", "pip", *resolve)))
    found = [one["metadata"] for one in report["install"] if one["metadata"]["name"] != "slipway"]
    return [
        component(PackageURL("pypi", None, one["name"], one["version"]), "installed beside the wheel") for one in found
    ]


def write(path: Path, main: Component, parts: list[Component]) -> None:
    bom = Bom(components=parts)
    bom.metadata.component = main
    bom.register_dependency(main, parts)
    path.write_text(JsonV1Dot6(bom).output_as_string(indent=2) + "\n")
    print(f"{path}: {len(parts)} components")


def main(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    release = wheel.name.split("-")[1]
    python = python_packages(wheel)
    parts = [*shared_libraries(wheel), *compiled_in(), carried_page(), *python]
    slipway = component(PackageURL("pypi", None, "slipway", release), "this project", ComponentType.APPLICATION)
    write(dist / "slipway-wheel.cdx.json", slipway, parts)

    base = re.search(r"^FROM python:(\S+) AS slipway$", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)[1]
    image = component(PackageURL("docker", None, "slipway", release), "this project", ComponentType.CONTAINER)
    below = component(PackageURL("docker", None, "python", base), "base image", ComponentType.CONTAINER)
    write(dist / "slipway-image.cdx.json", image, [below, slipway, *parts])
    (dist / "slipway-image.requirements.txt").write_text("".join(f"{one.name}=={one.version}\n" for one in python))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
