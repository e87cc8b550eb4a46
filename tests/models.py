"""Small LightGBM models and rows for the tests."""

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa


def numbers(rows: int, seed: int = 0, features: int = 4, missing: float = 0.1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({f"f{i}": rng.normal(size=rows) for i in range(features)})
    return frame.mask(rng.random(frame.shape) < missing)


def train(frame: pd.DataFrame, rounds: int = 10, labels=None, **params) -> lightgbm.Booster:
    rng = np.random.default_rng(1)
    if labels is None:
        labels = (frame.iloc[:, 0].fillna(0).to_numpy(dtype=float) + rng.normal(size=len(frame)) > 0).astype(float)
    settings = {
        "objective": "binary",
        "num_leaves": 15,
        "min_data_in_leaf": 5,
        "verbose": -1,
        "num_threads": 2,
        "seed": 3,
        **params,
    }
    return lightgbm.train(settings, lightgbm.Dataset(frame, labels, free_raw_data=False), rounds)


def train_slow(frame: pd.DataFrame) -> lightgbm.Booster:
    """Linear leaves are walked tree by tree: a model that keeps a run busy for some seconds."""
    return train(frame, rounds=300, labels=frame["f0"].fillna(0).to_numpy(), objective="regression", linear_tree=True)


def with_ids(frame: pd.DataFrame, first: int = 0) -> pa.Table:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return table.add_column(0, "id", pa.array(range(first, first + len(frame)), pa.int64()))
