"""Reads the demo's predictions with PyIceberg and DuckDB and holds them against LightGBM's own.

check.py DATA_DIR WORK_DIR
"""

import sys
from pathlib import Path

import duckdb
import lightgbm
import numpy as np
from pyiceberg.catalog.sql import SqlCatalog

sys.path.insert(0, str(Path(__file__).parent))
from flights import CATEGORIES, FEATURES, features_of  # noqa: E402  (the folder is on the path from here on)


def main() -> None:
    data_dir, work_dir = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    catalog = SqlCatalog("iceberg", uri=f"sqlite:///{data_dir}/catalog.db", warehouse=f"file://{data_dir}/warehouse")
    predictions = catalog.load_table("ml.late_arrivals")
    snapshot = predictions.current_snapshot()
    got = predictions.scan().to_pandas().sort_values("flight_id").reset_index(drop=True)

    source = catalog.load_table("nyc.flights").scan(row_filter="month >= 11").to_pandas()
    source = source[source["tailnum"].notna()].sort_values("flight_id").reset_index(drop=True)
    booster = lightgbm.Booster(model_file=str(work_dir / "model" / "model.lgb"))
    categories = dict(zip(CATEGORIES, booster.pandas_categorical, strict=True))
    want = booster.predict(features_of(source, categories))

    assert len(got) == len(source), f"{len(got)} predictions for {len(source)} source rows"
    assert (got["flight_id"].to_numpy() == source["flight_id"].to_numpy()).all(), "other flights"
    assert (got["tailnum"].to_numpy() == source["tailnum"].to_numpy()).all(), "other tail numbers"
    same = got["prediction"].to_numpy().view(np.int64) == want.view(np.int64)
    assert same.all(), f"{(~same).sum()} scores differ from LightGBM's"
    assert set(got["run_id"]) == {snapshot.summary["slipway.run-id"]}, "the rows are not those of the last run"
    files = [task.file.file_path.removeprefix("file://") for task in predictions.scan().plan_files()]
    rows, mean = duckdb.sql(f"select count(*), avg(prediction) from read_parquet({files})").fetchall()[0]
    assert rows == len(source)
    print(f"PyIceberg: {len(got):,} rows, one for each source row that the filter keeps; entity columns equal")
    print(f"LightGBM:  all {same.sum():,} scores equal to the last bit (features: {len(FEATURES)})")
    print(f"DuckDB:    {rows:,} rows in the snapshot's files, mean score {mean:.6f}")
    print(f"snapshot:  {snapshot.snapshot_id} {dict(snapshot.summary.additional_properties)}")


if __name__ == "__main__":
    main()
