//! The native core of ddbio: pure functions, bytes in, bytes out. No input or output, no threads, no `unsafe`; the GIL
//! is released while they work.
//!
//! Each does the same as Python code of ddbio, on ordinary input. On anything else it returns None, and the Python code
//! takes that input: it is the reference, and words all errors.
//!
//! text       a JSON text that is read once
//! number     numbers that DynamoDB keeps
//! distinct   texts that come twice
//! encoder    DynamoDB's JSON being written
//! plain      the notation of the format `json`
//! typed      that of `dynamodb-json`
//! csv        that of `csv`
//! puts       records to the requests of a BatchWriteItem
//! page       the answer to a Scan to lines of json
//! sigv4      signatures of requests

mod csv;
mod distinct;
mod encoder;
mod number;
mod page;
mod plain;
mod puts;
mod sigv4;
mod text;
mod typed;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyTuple};

use csv::{Column, Empty, Kind, Layout};
use puts::{Index, Key, Records, Table};

/// Of the functions below, as `ddbio/native.py` calls them: one more whenever that changes.
const INTERFACE: u32 = 4;

type KeyArguments = (String, String, usize);
type ColumnArguments = (String, String, Option<String>);
type LayoutArguments = (Vec<ColumnArguments>, String, String, Vec<String>);
type Made<'py> = (Bound<'py, PyBytes>, Bound<'py, PyTuple>, usize);
type PageLines<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>, usize);
type IndexArguments = (Vec<String>, Option<Vec<String>>);

/// A name of a notation of JSON, or the layout of a CSV file.
#[derive(FromPyObject)]
enum NotationArgument {
    Name(String),
    Layout(LayoutArguments),
}

/// Makes puts of records. See `_native.pyi`.
#[pyclass(frozen)]
struct PutEncoder {
    notation: Records,
    table: Table,
}

#[pymethods]
impl PutEncoder {
    #[new]
    fn new(
        notation: NotationArgument,
        keys: Vec<KeyArguments>,
        index_keys: Vec<KeyArguments>,
        indexes: Vec<IndexArguments>,
    ) -> PyResult<Self> {
        let keys_of = |arguments: Vec<KeyArguments>| arguments.into_iter().map(key_of).collect::<PyResult<Vec<_>>>();
        let indexes = indexes.into_iter().map(|(keys, projected)| Index { keys, projected }).collect();
        Ok(PutEncoder {
            notation: records_in(notation)?,
            table: Table::new(keys_of(keys)?, keys_of(index_keys)?, indexes),
        })
    }

    fn encode<'py>(&self, py: Python<'py>, records: Vec<PyBackedBytes>) -> PyResult<Option<Made<'py>>> {
        let Ok(puts) = py.detach(|| self.table.puts(&self.notation, &records)) else {
            return Ok(None);
        };
        Ok(Some((PyBytes::new(py, &puts.requests), PyTuple::new(py, puts.entries)?, puts.units)))
    }
}

/// The items of an answer to a Scan as lines of json. See `_native.pyi`.
#[pyfunction]
fn page_lines<'py>(py: Python<'py>, body: PyBackedBytes) -> Option<PageLines<'py>> {
    let page = py.detach(|| page::page(&body)).ok()?;
    Some((PyBytes::new(py, &page.rest), PyBytes::new(py, &page.lines), page.count))
}

/// Signs requests. See `_native.pyi`.
#[pyclass(frozen)]
struct SigningKey(sigv4::Key);

#[pymethods]
impl SigningKey {
    #[new]
    fn new(key: &[u8]) -> PyResult<Self> {
        if key.len() > 64 {
            return Err(PyValueError::new_err("the key is too long"));
        }
        Ok(SigningKey(sigv4::Key::new(key)))
    }

    fn signature(&self, py: Python<'_>, canonical: &str, to_sign: &str, body: PyBackedBytes) -> String {
        py.detach(|| self.0.signature(canonical, to_sign, &body))
    }
}

fn records_in(notation: NotationArgument) -> PyResult<Records> {
    match notation {
        NotationArgument::Name(name) => match name.as_str() {
            "json" => Ok(Records::Plain),
            "dynamodb-json" => Ok(Records::Typed),
            _ => Err(PyValueError::new_err("no such notation")),
        },
        NotationArgument::Layout(layout) => Ok(Records::Rows(layout_of(layout)?)),
    }
}

fn layout_of((columns, delimiter, escape, nulls): LayoutArguments) -> PyResult<Layout> {
    let byte_of = |text: String| match *text.as_bytes() {
        [] => Ok(None),
        [byte] => Ok(Some(byte)),
        _ => Err(PyValueError::new_err("a character of ASCII is needed")),
    };
    Ok(Layout {
        columns: columns.into_iter().map(column_of).collect(),
        delimiter: byte_of(delimiter)?.ok_or(PyValueError::new_err("a delimiter is needed"))?,
        escape: byte_of(escape)?,
        nulls: nulls.into_iter().map(String::into_bytes).collect(),
    })
}

fn column_of((name, kind, empty): ColumnArguments) -> Column {
    let kind = match kind.as_str() {
        "S" => Kind::Text,
        "infer" => Kind::TextOrNumber,
        "N" => Kind::Number,
        "BOOL" => Kind::Boolean,
        "B" => Kind::Binary,
        "JSON" => Kind::Json,
        "L" => Kind::List,
        "M" => Kind::Map,
        _ => Kind::Other,
    };
    let empty = match empty.as_deref() {
        Some("S") => Empty::Text,
        Some("NULL") => Empty::Null,
        _ => Empty::Missing,
    };
    Column::new(&name, kind, empty)
}

fn key_of((name, letter, most_bytes): KeyArguments) -> PyResult<Key> {
    match *letter.as_bytes() {
        [letter] => Ok(Key { name, letter, most_bytes }),
        _ => Err(PyValueError::new_err("a key has a type of one letter")),
    }
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("INTERFACE", INTERFACE)?;
    module.add_function(wrap_pyfunction!(page_lines, module)?)?;
    module.add_class::<SigningKey>()?;
    module.add_class::<PutEncoder>()
}
