"""Answers of MLflow's REST API, from its own application without a network; times and random ids made plain."""

import os
import re
import tempfile
from pathlib import Path
from urllib.parse import quote

from cases import write_json


def plain(text: str, run_id: str, folder: str) -> str:
    text = text.replace(run_id, "0" * 31 + "1").replace(folder, "/mlflow")
    return re.sub(r'("(?:creation|last_updated)_timestamp"|"(?:start|end)_time"): ?\d+', r"\1: 1700000000000", text)


def make(out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{folder}/mlflow.db"
        os.environ |= {
            "_MLFLOW_SERVER_FILE_STORE": store,
            "_MLFLOW_SERVER_REGISTRY_STORE": store,
            "MLFLOW_TRACKING_URI": store,
            "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": f"{folder}/artifacts",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        from mlflow.server import app
        from mlflow.tracking import MlflowClient

        client = MlflowClient(store, store)
        run_id = client.create_run("0", run_name="run").info.run_id
        client.create_registered_model("churn")
        model = Path(folder, "artifacts", "0", run_id, "artifacts", "model")
        (model / "data é").mkdir(parents=True)
        (model / "MLmodel").write_text("flavors: {}\n")
        (model / "data é" / "model.txt").write_text("tree")
        sources = [f"mlflow-artifacts:/0/{run_id}/artifacts/model", f"runs:/{run_id}/model", "s3://bucket/models/churn"]
        for source in sources:
            client.create_model_version(
                "churn", source, run_id=run_id if "runs" in source or "artifacts" in source else None
            )
        client.set_registered_model_alias("churn", "champion", "2")
        http = app.test_client()
        answers = {}
        for path in (
            "model-versions/get?name=churn&version=1",
            "model-versions/get?name=churn&version=2",
            "model-versions/get?name=churn&version=3",
            "model-versions/get?name=churn&version=9",
            "model-versions/get?name=churn&version=x",
            "model-versions/get?name=nope&version=1",
            "registered-models/alias?name=churn&alias=champion",
            "registered-models/alias?name=churn&alias=nobody",
            "registered-models/alias?name=nope&alias=champion",
            "model-versions/get-download-uri?name=churn&version=1",
            "model-versions/get-download-uri?name=churn&version=2",
            "model-versions/get-download-uri?name=churn&version=3",
            f"runs/get?run_id={run_id}",
        ):
            answer = http.get("/api/2.0/mlflow/" + path)
            answers["/api/2.0/mlflow/" + plain(path, run_id, folder)] = {
                "status": answer.status_code,
                "body": plain(answer.get_data(as_text=True), run_id, folder),
            }
        root = f"0/{run_id}/artifacts/model"
        for path in (
            f"artifacts?path={quote(root, safe='')}",
            f"artifacts?path={quote(root + '/data é', safe='')}",
            f"artifacts/{root}/MLmodel",
            f"artifacts/{root}/{quote('data é')}/model.txt",
        ):
            answer = http.get("/api/2.0/mlflow-artifacts/" + path)
            answers["/api/2.0/mlflow-artifacts/" + plain(path, run_id, folder)] = {
                "status": answer.status_code,
                "body": plain(answer.get_data(as_text=True), run_id, folder),
            }
        write_json(out / "mlflow.json", answers)
