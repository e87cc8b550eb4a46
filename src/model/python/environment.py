"""Makes the Python environment that an MLflow model asks for, once for all models that ask for the same
(src/model/python/environment.cc).

`export(model folder, file)` writes the environment's interpreter to the file. Environments stand beside the file,
each under the hash of what it holds; a lock keeps two processes from making the same one, and one that was cut off in
the middle is made anew.
"""

import ctypes
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL


def run(what: str, *command: str) -> None:
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        preexec_fn=die_with_parent,
    )
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()] or lines
        raise RuntimeError(f"{what}: {' / '.join(errors[-3:])[:500] or f'exit code {done.returncode}'}")


def interpreter_for(folder: str) -> str:
    """The model's Python version, by its first two numbers: this one, or python3.N of the search path."""
    import yaml

    try:
        with open(os.path.join(folder, "python_env.yaml")) as file:
            version = str((yaml.safe_load(file) or {}).get("python", ""))
    except FileNotFoundError:
        return sys.executable
    wanted = re.match(r"\d+\.\d+", version)
    if not wanted or wanted[0] == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return sys.executable
    found = shutil.which(f"python{wanted[0]}")
    if not found:
        raise RuntimeError(f"the model asks for Python {version}, and there is no python{wanted[0]} on this machine")
    return found


def requirements_of(folder: str) -> list[str]:
    with open(os.path.join(folder, "requirements.txt")) as file:
        lines = [line.strip() for line in file]
    lines = sorted(line for line in lines if line and not line.startswith("#"))
    names = {re.split(r"[^A-Za-z0-9_.-]", line)[0].lower() for line in lines}
    return (
        lines
        + ([] if "pyarrow" in names else ["pyarrow"])
        + ([] if names & {"mlflow", "mlflow-skinny"} else ["mlflow"])
    )


def export(folder: str, path: str) -> None:
    requirements, python = requirements_of(folder), interpreter_for(folder)
    version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout
    name = hashlib.sha256("\n".join([version, *requirements]).encode()).hexdigest()[:24]
    place = os.path.join(os.path.dirname(path), name)
    interpreter, ready = os.path.join(place, "bin", "python"), os.path.join(place, "ready")
    with open(place + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(ready):
            shutil.rmtree(place, ignore_errors=True)
            os.environ["HOME"] = place + ".home"  # what pip and builds leave there goes with the environment's making
            try:
                run("python -m venv", python, "-I", "-m", "venv", place)
                with open(os.path.join(place, "requirements.txt"), "w") as file:
                    file.write("\n".join(requirements) + "\n")
                run(
                    "pip install",
                    interpreter,
                    "-I",
                    "-m",
                    "pip",
                    "install",
                    "--no-input",
                    "--disable-pip-version-check",
                    "--no-cache-dir",
                    "-r",
                    os.path.join(place, "requirements.txt"),
                )
                open(ready, "w").close()
            finally:
                shutil.rmtree(place + ".home", ignore_errors=True)
    part = f"{path}.{os.getpid()}"  # several processes of a run may be here at once
    with open(part, "w") as file:
        file.write(interpreter)
    os.rename(part, path)
