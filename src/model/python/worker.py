"""One worker of Slipway's Python engine: loads an MLflow model and answers batches, in a process of its own.

Behind box.py in one program. Started by src/model/python/worker_process.cc, or forked by zygote.py, with a socket as descriptor 3, and files in
shared memory as 4 (rows in) and 5 (predictions out). The first line of the socket is the settings: a program to run,
or which model to load. After a program may come a second; then each line asks for the rows in file 4 to be scored.
What comes back is a line of JSON: {"ready": ...}, {"rows": n}, {"error": text}, or {"unfit": text} of an answer that is not of the wanted columns. A line may also ask for the model's
input example, in the columns of the empty stream that is in file 4 then.
"""

import json
import types

SOCKET, ROWS, PREDICTIONS = 3, 4, 5


def columns_of(answer, schema, rows: int) -> list:
    """The columns of what a model's predict gave: an array, a list, a series, a frame, or a dictionary of columns.

    Where one column of lists is wanted, an array's rows are those."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    names = [field.name for field in schema]

    if isinstance(answer, dict):
        answer = pd.DataFrame(answer, copy=False)
    if hasattr(answer, "toPandas"):
        answer = answer.toPandas()
    if isinstance(answer, pd.DataFrame):
        by_name = set(names) <= set(answer.columns)
        columns = [answer[name] for name in names] if by_name else [answer.iloc[:, k] for k in range(answer.shape[1])]
    elif isinstance(answer, pd.Series):
        columns = [answer]
    else:
        if len(schema) == 1 and pa.types.is_list(schema[0].type):
            answer = pd.Series(list(answer), dtype=object).to_numpy()
        if not isinstance(answer, np.ndarray):
            answer = np.asarray(answer, dtype=object if answer and isinstance(answer[0], str) else None)
        array = answer
        if array.ndim == 0 or array.ndim > 2:
            raise ValueError(f"the model gave an array of {array.ndim} dimensions; one or two can be written")
        columns = [array] if array.ndim == 1 else [array[:, k] for k in range(array.shape[1])]
    if len(columns) != len(names):
        wanted = f"{len(names)}: {', '.join(names)}"
        raise ValueError(f"the model gave {len(columns)} columns, but its signature says {wanted}")
    for column in columns:
        if len(column) != rows:
            raise ValueError(f"the model gave {len(column)} predictions for {rows} rows")
    return columns


NUMPY_TYPES = {"boolean": "bool", "integer": "int32", "long": "int64", "float": "float32", "double": "float64"}


def onnx_by_columns(model):
    """A function that runs an ONNX model over Arrow columns in shared memory, and gives what its flavor gives.

    Each column is an input, or all together are one matrix, which is written once. None: another model, or one whose
    columns are not plain numbers."""
    import numpy as np

    inputs = model.metadata.get_input_schema()
    if "onnx" not in model.metadata.flavors or not hasattr(model, "get_raw_model"):
        return None
    if inputs is None or inputs.is_tensor_spec():
        return None
    session = model.get_raw_model()
    types = {column.name: NUMPY_TYPES.get(column.type.name) for column in inputs.inputs}
    feeds = {one.name: one.type for one in session.get_inputs()}
    by_name, by_matrix = set(feeds) <= set(types), "bool" not in types.values() or len(types) == 1
    if not all(types.values()) or (len(feeds) > 1 and not by_name) or (len(feeds) == 1 and not by_matrix):
        return None
    names = [one.name for one in session.get_outputs()]

    def column_of(rows, name: str):
        column = rows[name]  # one chunk: no copy
        values = (column.chunk(0) if column.num_chunks == 1 else column).to_numpy(zero_copy_only=False)
        return values.astype(types[name], copy=False)

    def cast(column, feed: str):  # as the flavor does
        return column.astype("float32") if feeds[feed] == "tensor(float)" and column.dtype == "float64" else column

    def predict(rows):
        if any(rows[name].null_count and np.dtype(kind).kind != "f" for name, kind in types.items()):
            return model.predict(rows.to_pandas())
        if len(feeds) > 1:
            given = {name: cast(column_of(rows, name), name) for name in feeds}
        else:
            (feed,) = feeds
            common = np.result_type(*types.values())
            matrix = np.empty((len(rows), len(types)), cast(np.empty(0, common), feed).dtype)
            for k, name in enumerate(types):
                matrix[:, k] = column_of(rows, name).astype(common, copy=False)
            given = {feed: matrix}
        answers = zip(names, session.run(names, given), strict=True)
        return {name: np.asarray(one).reshape(-1) for name, one in answers}

    return predict


def by_library(model, rows, categories: list):
    """What the model's own library gives for the rows, without pyfunc's look at the signature.

    It is given its columns as it learned them: pandas categories are made of `categories` with its own lists, and
    whole numbers and booleans that may be missing are doubles, as libraries have them."""
    import pandas as pd

    frame, library = rows.to_pandas(), model.get_raw_model() if hasattr(model, "get_raw_model") else None
    for name in frame.columns[frame.dtypes == object]:
        if str(rows.schema.field(name).type) == "bool":
            frame[name] = frame[name].astype("float64")
    if "xgboost" in model.metadata.flavors:
        import xgboost

        booster = library if isinstance(library, xgboost.Booster) else library.get_booster()
        known = dict(booster.get_categories(export_to_arrow=True).to_arrow()) if categories else {}
        lists = [known[name].to_pylist() for name in categories]
    elif categories:
        lists = getattr(library, "booster_", library).pandas_categorical
    else:
        lists = []
    for name, values in zip(categories, lists, strict=True):
        unseen = sorted(set(frame[name].dropna()) - set(values))
        frame[name] = pd.Categorical(frame[name], categories=[*values, *unseen])
    if "xgboost" in model.metadata.flavors and booster is library:  # pyfunc makes it of the frame, without categories
        return booster.predict(xgboost.DMatrix(frame, enable_categorical=True))
    tensor = tensor_of(model)
    return model._model_impl.predict(frame if tensor is None else as_tensor(rows, tensor))


def example_of(model, folder: str, schema):
    """The rows that the model was saved with, in those columns of `schema` that they have, by name or by position."""
    import pandas as pd
    import pyarrow as pa

    rows = model.metadata.load_input_example(folder)
    if rows is None:
        raise ValueError("the model was saved without one")
    if not isinstance(rows, pd.DataFrame):
        rows = pd.DataFrame(rows)
    if not set(rows.columns) & set(schema.names):
        rows = rows.set_axis(schema.names, axis=1)
    there = pa.schema([field for field in schema if field.name in rows.columns])
    return pa.record_batch([to_arrow(rows[field.name], field) for field in there], schema=there)


def tensor_of(model):
    """The one tensor that the model takes, where its metadata names the columns of the table that it is made of
    (see ParseSignature). None: it takes columns."""
    if not (getattr(model.metadata, "metadata", None) or {}).get("slipway.columns"):
        return None
    (tensor,) = model.metadata.get_input_schema().inputs
    return tensor


def as_tensor(rows, tensor):
    """The columns as one array of the tensor's own type, under its name where it has one.

    What would lose values is an error."""
    import numpy as np
    import pyarrow as pa

    is_text = tensor.type.kind == "U"
    array = np.empty((len(rows), rows.num_columns), object if is_text else tensor.type)
    for k, name in enumerate(rows.column_names):
        column = rows[name]
        if column.null_count and tensor.type.kind in "biuU":
            raise ValueError(f"'{name}' has nulls, which a tensor of {tensor.type.name} cannot hold")
        if tensor.type.kind in "biuf":
            column = column.cast(pa.from_numpy_dtype(tensor.type))
        array[:, k] = column.to_numpy()
    if is_text:
        array = array.astype(str)
    array = array.reshape(-1) if len(tensor.shape) == 1 else array
    return array if tensor.name is None else {tensor.name: array}


def to_arrow(column, field):
    """The column in its field's type; what would lose values is an error."""
    import pyarrow as pa

    array = pa.array(column, from_pandas=True) if len(column) else pa.array([], field.type)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array if array.type == field.type else array.cast(field.type)


def prediction(column, field):
    """A column of answers in the type that is wanted of it; a rounded one would be another answer."""
    import pyarrow as pa
    import pyarrow.compute as pc

    array = to_arrow(column, field)
    if pa.types.is_float32(field.type) and getattr(column, "dtype", None) == "float64":
        given = to_arrow(column, pa.field(field.name, pa.float64()))
        if pc.all(pc.or_(pc.equal(given, array.cast(pa.float64())), pc.is_nan(given))).as_py() is False:
            raise ValueError(
                f"'{field.name}' is float64, and the signature's float would round it: log the model with a signature "
                "that is inferred from what its predict gives"
            )
    return array


def run(settings: dict) -> None:
    """The program's export, with the modules that it imports."""
    for name, text in settings["modules"].items():
        sys.modules[name] = module = types.ModuleType(name)
        exec(compile(text, name + ".py", "exec"), module.__dict__)
    namespace: dict = {}
    exec(compile(settings["program"], "export.py", "exec"), namespace)
    namespace["export"](settings["model"], settings["output"])


def answer(message: dict) -> None:
    os.write(SOCKET, json.dumps(message).encode() + b"\n")


def line() -> dict | None:
    """The next line of the socket; None: its other end is closed."""
    text = b""
    while not text.endswith(b"\n"):
        piece = os.read(SOCKET, 1)
        if not piece:
            return None
        text += piece
    return json.loads(text)


def load(folder: str):
    """The model, a function that predicts, and the columns that are wanted of it."""
    import mlflow.pyfunc
    import pyarrow as pa

    model = mlflow.pyfunc.load_model(folder)
    with pa.memory_map(f"/proc/self/fd/{PREDICTIONS}") as file:
        schema = pa.ipc.open_stream(file).schema
    tensor = tensor_of(model)

    def predict(rows):
        return model.predict(rows.to_pandas() if tensor is None else as_tensor(rows, tensor))

    return model, onnx_by_columns(model) or predict, schema


def failed(error: BaseException) -> None:
    """Where it went wrong is for the run's log, what went wrong for its message."""
    import traceback

    traceback.print_exception(error)
    answer({"error": f"{type(error).__name__}: {error}"})


def answer_requests(folder: str, model, predict, schema) -> None:
    """Until the socket's other end is closed."""
    import pyarrow as pa

    while (request := line()) is not None:
        try:
            with pa.memory_map(f"/proc/self/fd/{ROWS}") as file:
                rows = pa.ipc.open_stream(file).read_all()
            if "example" in request:
                batch = example_of(model, folder, rows.schema)
            else:
                given = by_library(model, rows, request["library"]) if "library" in request else predict(rows)
                try:
                    columns = columns_of(given, schema, len(rows))
                    arrays = [prediction(column, field) for column, field in zip(columns, schema, strict=True)]
                except Exception as error:
                    answer({"unfit": f"{type(error).__name__}: {error}"})
                    continue
                batch = pa.record_batch(arrays, schema=schema)
            with pa.OSFile(f"/proc/self/fd/{PREDICTIONS}", "wb") as file:
                with pa.ipc.new_stream(file, batch.schema) as writer:
                    writer.write_batch(batch)
        except Exception as error:
            failed(error)
        else:
            answer({"rows": len(batch)})


def work() -> None:
    """What a worker does, in its own process, which goes into its box first."""
    os.dup2(2, 1)  # what a model prints is not an answer
    settings = line()
    if settings is None:
        return
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # what it starts stays below it, where it is counted
    close_box(settings["box"])
    if "program" in settings:
        try:
            run(settings)
        except NotImplementedError as error:
            answer({"refused": str(error)})
            return
        except BaseException as error:
            answer({"error": f"{type(error).__name__}: {error}"})
            return
        answer({"ready": True})
        settings = line()
        if settings is None:
            return
    try:
        loaded = load(settings["model"])
    except BaseException as error:  # a model may even leave by sys.exit
        failed(error)
        return
    answer({"ready": True})
    answer_requests(settings["model"], *loaded)


def main() -> None:
    """A worker that was started, not forked: all that it starts ends with the process that started it."""
    LIBC.prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0)
    stand_guard()
    os.setsid()
    work()
