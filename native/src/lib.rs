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
//! puts       records to the requests of a BatchWriteItem
//! page       the answer to a Scan to lines of json

mod distinct;
mod encoder;
mod number;
mod page;
mod plain;
mod puts;
mod text;
mod typed;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyTuple};

use puts::{Index, Key, Records, Table};

/// Of the functions below, as `ddbio/native.py` calls them: one more whenever that changes.
const INTERFACE: u32 = 2;

type KeyArguments = (String, String, usize);
type Made<'py> = (Bound<'py, PyBytes>, Bound<'py, PyTuple>, usize);
type PageLines<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>, usize);
type IndexArguments = (Vec<String>, Option<Vec<String>>);

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
        notation: &str,
        keys: Vec<KeyArguments>,
        index_keys: Vec<KeyArguments>,
        indexes: Vec<IndexArguments>,
    ) -> PyResult<Self> {
        let notation = match notation {
            "json" => Records::Plain,
            "dynamodb-json" => Records::Typed,
            _ => return Err(PyValueError::new_err("no such notation")),
        };
        let keys_of = |arguments: Vec<KeyArguments>| arguments.into_iter().map(key_of).collect::<PyResult<Vec<_>>>();
        let indexes = indexes.into_iter().map(|(keys, projected)| Index { keys, projected }).collect();
        Ok(PutEncoder { notation, table: Table::new(keys_of(keys)?, keys_of(index_keys)?, indexes) })
    }

    fn encode<'py>(&self, py: Python<'py>, records: Vec<PyBackedBytes>) -> PyResult<Option<Made<'py>>> {
        let Ok(puts) = py.detach(|| self.table.puts(self.notation, &records)) else {
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
    module.add_class::<PutEncoder>()
}
