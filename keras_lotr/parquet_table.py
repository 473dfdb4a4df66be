"""Tables in Parquet files, which pandas, polars and databases read; pyarrow, an extra, does it."""

from itertools import islice

# Rows that are held while a file is written: a row group.
GROUP_ROWS = 5000


def check_installed():
    """Raise an ImportError that names the extra if there is no pyarrow."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise ImportError("Parquet files need pyarrow: pip install 'keras-lotr[parquet]'") from None


def write_rows(file, columns, rows):
    """Write a table, of which no more than a row group is held at a time.

    Args:
        file: open for writing bytes.
        columns: {name: type of its values}, str, int, float or bool.
        rows: iterable of lists; None is a missing value.

    Raises:
        ImportError: pyarrow is not installed.
    """
    check_installed()
    from pyarrow.parquet import ParquetWriter

    schema, rows = schema_of(columns), iter(rows)
    with ParquetWriter(file, schema, compression="zstd") as writer:
        while len(group := table_of(islice(rows, GROUP_ROWS), schema)):
            writer.write_table(group)


def schema_of(columns):
    """The `pyarrow.Schema` of a table; columns as of `write_rows`."""
    import pyarrow

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    types[bool] = pyarrow.bool_()
    return pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])


def table_of(rows, schema):
    """Rows, an iterable of lists, as a `pyarrow.Table`; None is a missing value."""
    import pyarrow

    columns = list(zip(*rows, strict=True)) or [[]] * len(schema)
    columns = zip(schema, columns, strict=True)
    return pyarrow.table([pyarrow.array(v, field.type) for field, v in columns], schema=schema)


def read_rows(path):
    """The table in a file, as text.

    Args:
        path: of the file.

    Returns:
        Names of the columns, and a list of rows, lists of str; "" is a missing value or NaN.

    Raises:
        ImportError: pyarrow is not installed.
        ValueError: it is no Parquet file, or a broken one.
    """
    check_installed()
    import pyarrow
    from pyarrow.parquet import ParquetFile

    with open(path, "rb") as file:
        try:
            table = ParquetFile(file)
            rows = [row for batch in table.iter_batches() for row in _rows(batch)]
            return table.schema_arrow.names, rows
        except (pyarrow.ArrowException, OSError) as error:
            raise ValueError(f"Expected a Parquet file in {path}. Received: {error}") from None


def _rows(batch):
    columns = [map(_text, column.to_pylist()) for column in batch.columns]
    return map(list, zip(*columns, strict=True))


def _text(value):
    return "" if value is None or value != value else str(value)
