"""Tables as programs and people write them, as text or Parquet: rows by the names of columns."""

import codecs
import csv
import io
import re
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from keras_lotr import parquet_table

_SEPARATORS = ",;\t|"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BEFORE_HEADER = re.compile(r"(?:sep=.|#.*)?\s*")


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        header: names of the columns in lower case, without the spaces around them.
        rows: list of (number of the line, list of str); in Parquet, number of the row from 1.
    """

    header: list
    rows: list


def read_text(path):
    """The content of a text file, UTF-8 or UTF-16, without the mark in front.

    Raises:
        ValueError: it is in another encoding.
    """
    try:
        return decoded(Path(path).read_bytes())
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Expected text (UTF-8) in {path}: save it as UTF-8, in spreadsheets as CSV UTF-8. "
            f"Received: {error}"
        ) from None


def decoded(data, errors="strict"):
    """Bytes of a text file, UTF-8 or UTF-16 as its mark says, as text without the mark.

    Args:
        data: bytes.
        errors: what becomes of what is neither, see `bytes.decode`.

    Example:

    >>> decoded(b"photo.jpg"), decoded("photo.jpg".encode("utf-16"))
    ('photo.jpg', 'photo.jpg')
    """
    return data.decode(_encoding(data), errors)


def _encoding(data):
    return "utf-16" if data.startswith(_UTF16) else "utf-8-sig"


def read_table(path):
    """Read a table whose first line names the columns.

    Separators are commas, semicolons, tabs or bars; fields may be quoted. Where the separator is no
    comma, a comma within a number is a decimal point. A header that is repeated, as in tables that
    were joined, is no row; nor is an empty line, or what stands before the
    header: "sep=;" as spreadsheets write it, and lines that begin with #. A file .parquet says
    itself what its columns are.

    Args:
        path: of the file.

    Returns:
        `Table`.

    Raises:
        ImportError: it is .parquet, and pyarrow is not installed.
        ValueError: no text, or not to be read as a table; with file and line.

    Example:

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.csv")
    >>> size = path.write_text('"Image";"x0"\\n"anna.jpg";1,5\\n')
    >>> read_table(path)
    Table(header=['image', 'x0'], rows=[(2, ['anna.jpg', '1.5'])])
    """
    if is_parquet(path):
        names, rows = parquet_table.read_rows(path)
        return Table([name.strip().lower() for name in names], list(enumerate(rows, start=1)))
    rows = _header_and_rows(io.StringIO(read_text(path), newline=""), path)
    return Table(next(rows, []), list(rows))


def read_header(path):
    """The header of a table as text, see `read_table`, without reading what comes after it.

    Raises:
        ValueError: no text, or not to be read as a table.
    """
    with open(path, "rb") as file:
        encoding = _encoding(file.read(2))
    with open(path, encoding=encoding, newline="") as file:
        return next(_header_and_rows(file, path), [])


def _header_and_rows(file, path):
    """Yields what `Table` has as header, if there is one, and then each of its rows."""
    before, first = 0, file.readline()
    while first and _BEFORE_HEADER.fullmatch(first):
        before, first = before + 1, file.readline()
    separator = max(_SEPARATORS, key=first.count)
    lines, header = chain([first], file), None
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=separator != "\t")
    try:
        for row in reader:
            names = [name.strip().lower() for name in row]
            if header is None and any(names):
                header = names
                yield header
            elif any(names) and names != header:
                values = [_number(value, separator) for value in row]
                yield before + reader.line_num, values
    except csv.Error as error:
        line = before + reader.line_num
        raise ValueError(f"Expected a table in {path}, line {line}: {error}") from None


def csv_line(cells):
    r"""A row as a line of CSV, which every reader takes for one row.

    Args:
        cells: list of str, numbers, bool (true or false) and None.

    Example:

    >>> csv_line(["anna\r.jpg", 0, None, 1.5, True])
    '"anna\r.jpg",0,,1.5,true\n'
    """
    # Some readers, such as polars, take only words in lower case for truth values.
    cells = [str(cell).lower() if isinstance(cell, bool) else cell for cell in cells]
    # Readers skip a space at the beginning, unless a quote is before it.
    begins_with_space = str(cells[0]).startswith(" ")
    text = io.StringIO(newline="")
    # Before Python 3.13 it quotes only those ends of lines that it writes itself.
    csv.writer(
        text,
        lineterminator="\r\n",
        quoting=csv.QUOTE_NONNUMERIC if begins_with_space else csv.QUOTE_MINIMAL,
    ).writerow(cells)
    return text.getvalue().removesuffix("\r\n") + "\n"


def is_parquet(path):
    """Whether it is a Parquet file by its ending."""
    return Path(path).suffix.lower() == ".parquet"


def _number(value, separator):
    """A field; 1,5 is 1.5 where the comma separates nothing."""
    is_number = separator != "," and re.fullmatch(r"\s*-?\d+,\d+\s*", value)
    return value.replace(",", ".") if is_number else value
