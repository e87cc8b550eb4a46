"""`./tools/stack up|down|status`: the whole stack on this machine, with the demo's data and a Slipway server configured
for all of it."""

import json
import os
import signal
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "python"))

from services.airflow import PASSWORD as AIRFLOW_PASSWORD  # noqa: E402 (found by the line above)
from services.airflow import USER as AIRFLOW_USER  # noqa: E402
from services.keycloak import PASSWORD, USERS  # noqa: E402
from services.process import Process, processes, with_children  # noqa: E402
from services.s3 import ACCESS, SECRET  # noqa: E402
from services.stack import Stack  # noqa: E402

FOLDER = Path(os.environ.get("SLIPWAY_STACK", ROOT / ".stack"))
STATE, DATA = FOLDER / "state.json", FOLDER / "data"


def state() -> dict[str, list[int]]:
    """Name → the process ids of each server that runs. A number may have gone to another process since: they are known
    by when they started, too."""
    known, everyone = json.loads(STATE.read_text()) if STATE.exists() else {}, processes()
    return {
        name: alive
        for name, one in known.items()
        if (alive := [pid for pid, started in one if pid in everyone and everyone[pid].started == started])
    }


def mebibytes(pids: list[int]) -> int:
    """What the processes and all that they started have in memory, shared pages divided among those that share them."""
    total = 0
    for pid in with_children(pids):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except OSError:
            continue
    return total // 1024


def up() -> None:
    if state():
        sys.exit("the stack runs already, or a part of it: ./tools/stack status, ./tools/stack down")
    started = last = time.monotonic()
    pids: dict[str, list[int]] = {}

    def say(name: str) -> None:
        nonlocal last
        now = time.monotonic()
        print(f"   {name:12} {now - last:5.1f} s", flush=True)
        last = now

    print(f"== starting the stack in {FOLDER}")
    DATA.mkdir(parents=True, exist_ok=True)
    stack = Stack(FOLDER, say)
    try:
        for name, service in stack.services.items():
            parts = service.parts.values() if name == "airflow" else [service.process]
            pids[name] = [part.pid for part in parts]
        load(stack)
        say("demo data")
        url = f"http://127.0.0.1:{stack.ports['slipway']}"
        settings = {**stack.settings(url), "server.listen": url.removeprefix("http://"), "airflow.retry_seconds": 10}
        (DATA / "slipway.toml").write_text(toml(settings))
        (DATA / "slipway.toml").chmod(0o600)
        slipway = Process(
            "slipway", FOLDER, [ROOT / "build/release/bin/slipway", "--data-dir", DATA, "serve"], stack.environment()
        )
        pids["slipway"] = [slipway.pid]
        slipway.until_answers(f"{url}/healthz")
        say("slipway")
    except BaseException:
        stack.stop()
        raise
    everyone = processes()
    STATE.write_text(
        json.dumps(
            {name: [(pid, everyone[pid].started) for pid in one if pid in everyone] for name, one in pids.items()}
        )
    )
    (FOLDER / "places.json").write_text(json.dumps(places(stack, url)))
    print(f"   up after {time.monotonic() - started:.1f} s")
    status()


def load(stack) -> None:
    """The demo's flights as an Iceberg table behind the REST catalog, and its model in MLflow."""
    import mlflow
    import mlflow.lightgbm
    from demo import flights
    from mlflow import MlflowClient
    from pyiceberg.catalog.rest import RestCatalog

    catalog = RestCatalog(
        "lake",
        uri=stack.catalog.url,
        **{
            "s3.endpoint": stack.s3.url,
            "s3.access-key-id": ACCESS,
            "s3.secret-access-key": SECRET,
            "s3.region": "us-east-1",
        },
    )
    frame = flights.flights()
    flights.write_table(catalog, frame)
    client = MlflowClient(stack.mlflow.url, stack.mlflow.url)
    if not client.search_registered_models("name = 'flight-delay'"):
        booster, signature = flights.train(frame)
        mlflow.set_tracking_uri(stack.mlflow.url)
        mlflow.set_registry_uri(stack.mlflow.url)
        with mlflow.start_run():
            mlflow.lightgbm.log_model(booster, name="model", signature=signature, registered_model_name="flight-delay")
        client.set_registered_model_alias("flight-delay", "champion", "1")


def toml(settings: dict) -> str:
    sections: dict[str, dict] = {}
    for name, value in settings.items():
        section, _, key = name.rpartition(".")
        sections.setdefault(section, {})[key] = value
    return "\n".join(
        f"[{section}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
        for section, keys in sections.items()
    )


def places(stack, url: str) -> dict:
    people = ", ".join(name for name in USERS)
    return {
        "slipway": [f"{url}/docs", f"key: head -1 {DATA}/platform.psk"],
        "airflow": [stack.airflow.url, f"{AIRFLOW_USER} / {AIRFLOW_PASSWORD}"],
        "mlflow": [stack.mlflow.url, "no login"],
        "keycloak": [stack.keycloak.issuer, f"{people} / {PASSWORD}"],
        "catalog": [f"{stack.catalog.url}/v1/config", "no login"],
        "s3": [stack.s3.url, f"{ACCESS} / {SECRET}"],
        "postgresql": [stack.database, "no password"],
    }


def status() -> None:
    running = state()
    if not running:
        print("the stack is down: ./tools/stack up")
        return
    total = 0
    print(f"\n{'SERVER':12} {'MEMORY':>9}  {'WHERE':58} LOGIN")
    for name, (where, login) in json.loads((FOLDER / "places.json").read_text()).items():
        memory = mebibytes(running.get(name, []))
        total += memory
        print(f"{name:12} {f'{memory} MiB' if name in running else 'down':>9}  {where:58} {login}")
    url = json.loads((FOLDER / "places.json").read_text())["slipway"][0].removesuffix("/docs")
    print(
        f"{'':12} {f'{total} MiB':>9}\n\nA deployment of the demo's model on the demo's table, run by Airflow:\n\n"
        f"  curl -X POST {url}/api/models/flight-delay/deployments \\\n"
        f'    -H "Authorization-PSK: $(head -1 {DATA}/platform.psk)" \\\n'
        '    -H \'Content-Type: application/json\' -d \'{"name": "late-arrivals",\n'
        '      "model": {"model_name": "flight-delay", "model_alias": "champion"},\n'
        '      "source": {"catalog": "lake", "schema": "nyc", "table": "flights", "filter_sql": "month >= 11"},\n'
        '      "target": {"catalog": "lake", "schema": "ml", "table": "late_arrivals"},\n'
        '      "entity_columns": ["flight_id"],\n'
        '      "domain": "operations", "owner": "demo@example.com", "schedule": "0 6 * * *", "trigger_now": true}\'\n'
    )


def down() -> None:
    """In the other order, each server with all that it started; what does not end by itself is ended."""
    for name, pids in reversed(list(state().items())):
        family = with_children(pids)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGINT if name == "postgresql" else signal.SIGTERM)
        deadline = time.monotonic() + 20
        while (family := family & processes().keys() | with_children(pids)) and time.monotonic() < deadline:
            time.sleep(0.1)
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        print(f"   {name} is down")
    STATE.unlink(missing_ok=True)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    {"up": up, "down": down, "status": status}[sys.argv[1]]()
