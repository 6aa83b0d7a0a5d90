//! Rows of CSV, the format `csv`: the cells of a row by the columns of its file.
//!
//! A row with an escape or a line end in it is not mine, nor is one with more or fewer cells than columns.

use std::borrow::Cow;

use crate::encoder::{decoded_bytes, Attribute, Contents, Encoder, Notation};
use crate::number::Number;
use crate::plain::Plain;
use crate::text::{escaped, push_escaped, Mine, NotMine, Text};

const MOST_NUMBER_BYTES: usize = 38; // of a number that is found in a column without a type

/// How the cells of a column are read. Other: those that are not empty are not mine.
#[derive(Clone, Copy)]
pub enum Kind {
    Text,
    TextOrNumber,
    Number,
    Boolean,
    Binary,
    Json,
    List,
    Map,
    Other,
}

/// The value of an empty cell.
#[derive(Clone, Copy)]
pub enum Empty {
    Missing,
    Text,
    Null,
}

pub struct Column {
    member: Vec<u8>, // `"name":`, with its escapes
    name_size: usize,
    kind: Kind,
    empty: Empty,
}

impl Column {
    pub fn new(name: &str, kind: Kind, empty: Empty) -> Self {
        let member = [b"\"", escaped(name).as_slice(), b"\":"].concat();
        Column { member, name_size: name.len(), kind, empty }
    }
}

/// The layout of a file. escape: makes the byte after it plain. nulls: cells that are read as empty ones.
pub struct Layout {
    pub columns: Vec<Column>,
    pub delimiter: u8,
    pub escape: Option<u8>,
    pub nulls: Vec<Vec<u8>>,
}

impl Layout {
    /// Reads a row, and appends the item.
    pub fn item(
        &self,
        to: &mut Encoder,
        record: &[u8],
        mut note: impl FnMut(Attribute) -> Mine<()>,
    ) -> Mine<Contents> {
        let mut cells = Cells { rest: Some(self.row(record)?), delimiter: self.delimiter };
        let mut all = Contents::default();
        to.out.push(b'{');
        for column in &self.columns {
            let cell = cells.next()?;
            let before = to.out.len();
            if all.count > 0 {
                to.out.push(b',');
            }
            let name = to.out.len() + 1;
            to.put(&column.member);
            let value = to.out.len();
            let Some(value_size) = self.value(to, column, &cell)? else {
                to.out.truncate(before);
                continue;
            };
            let name_size = column.name_size;
            let (name, value) = (&to.out[name..value - 2], &to.out[value..]);
            note(Attribute { name, value, name_size, value_size })?;
            all.count += 1;
            all.size += name_size + value_size;
        }
        cells.expect_end()?;
        to.out.push(b'}');
        Ok(all)
    }

    /// The row of a record, without the carriage return of its line end. A blank line is no row.
    fn row<'a>(&self, record: &'a [u8]) -> Mine<&'a [u8]> {
        let row = record.strip_suffix(b"\r").unwrap_or(record);
        let is_rare = |byte: &u8| matches!(byte, b'\n' | b'\r') || Some(*byte) == self.escape;
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
        // All bytes are looked at, which takes less time than to ask after each whether to stop.
        if row.iter().fold(false, |found, byte| found | is_rare(byte)) || row.iter().all(is_blank) {
            return Err(NotMine);
        }
        std::str::from_utf8(row).map_err(|_| NotMine)?;
        Ok(row)
    }

    /// Appends the value of a cell. Returns its size; None if it has no value.
    #[inline]
    fn value(&self, to: &mut Encoder, column: &Column, cell: &[u8]) -> Mine<Option<usize>> {
        if cell.is_empty() || self.nulls.iter().any(|null| null == cell) {
            return Ok(match column.empty {
                Empty::Missing => None,
                Empty::Text => Some(put(to, b"{\"S\":\"\"}", 0)),
                Empty::Null => Some(put(to, b"{\"NULL\":true}", 1)),
            });
        }
        match column.kind {
            Kind::Text => Ok(text(to, cell)),
            Kind::TextOrNumber => Ok(inferred(to, cell)),
            Kind::Number => Ok(number(to, cell, Number::of(cell)?.size())),
            Kind::Boolean if cell.eq_ignore_ascii_case(b"true") => Ok(put(to, b"{\"BOOL\":true}", 1)),
            Kind::Boolean if cell.eq_ignore_ascii_case(b"false") => Ok(put(to, b"{\"BOOL\":false}", 1)),
            Kind::Binary => {
                to.put(b"{\"B\":\"");
                Ok(put_rest(to, cell, decoded_bytes(cell)?))
            }
            Kind::Json => json(to, cell, b"{"),
            Kind::List => json(to, cell, b"{\"L\":"),
            Kind::Map => json(to, cell, b"{\"M\":"),
            Kind::Boolean | Kind::Other => Err(NotMine),
        }
        .map(Some)
    }
}

fn put(to: &mut Encoder, value: &[u8], size: usize) -> usize {
    to.put(value);
    size
}

/// Appends the content of a value and its end.
#[inline]
fn put_rest(to: &mut Encoder, content: &[u8], size: usize) -> usize {
    to.put(content);
    to.put(b"\"}");
    size
}

#[inline]
fn text(to: &mut Encoder, cell: &[u8]) -> usize {
    to.put(b"{\"S\":\"");
    push_escaped(cell, &mut to.out);
    to.put(b"\"}");
    cell.len()
}

fn number(to: &mut Encoder, digits: &[u8], size: usize) -> usize {
    to.put(b"{\"N\":\"");
    put_rest(to, digits, size)
}

/// A number without an exponent is one, except `-0`, which would lose its sign.
fn inferred(to: &mut Encoder, cell: &[u8]) -> usize {
    let is_short = cell.len() <= MOST_NUMBER_BYTES;
    match Number::of(cell) {
        Ok(found) if is_short && found.is_plain() => number(to, cell, found.size()),
        _ => text(to, cell),
    }
}

/// beginning: of the values that the column may have.
fn json(to: &mut Encoder, cell: &[u8], beginning: &[u8]) -> Mine<usize> {
    let start = to.out.len();
    let size = Text::whole(cell, |text| Plain::value(to, text, 0))?;
    if to.out[start..].starts_with(beginning) {
        Ok(size)
    } else {
        Err(NotMine)
    }
}

/// The cells of a row that are not read yet. rest: None after the last.
struct Cells<'a> {
    rest: Option<&'a [u8]>,
    delimiter: u8,
}

impl<'a> Cells<'a> {
    #[inline]
    fn next(&mut self) -> Mine<Cow<'a, [u8]>> {
        let rest = self.rest.ok_or(NotMine)?;
        if rest.first() == Some(&b'"') {
            return self.quoted(&rest[1..]);
        }
        let end = rest.iter().position(|&byte| byte == self.delimiter);
        self.rest = end.map(|end| &rest[end + 1..]);
        Ok(Cow::Borrowed(&rest[..end.unwrap_or(rest.len())]))
    }

    /// inside: what follows the quote.
    fn quoted(&mut self, inside: &'a [u8]) -> Mine<Cow<'a, [u8]>> {
        let mut cell = Cow::Borrowed(&inside[..0]);
        let mut start = 0;
        loop {
            let quote = start + inside[start..].iter().position(|&byte| byte == b'"').ok_or(NotMine)?;
            let part = &inside[start..quote];
            if cell.is_empty() {
                cell = Cow::Borrowed(part);
            } else {
                cell.to_mut().extend_from_slice(part);
            }
            match inside.get(quote + 1) {
                None => self.rest = None,
                Some(&byte) if byte == self.delimiter => self.rest = Some(&inside[quote + 2..]),
                Some(b'"') => {
                    cell.to_mut().push(b'"');
                    start = quote + 2;
                    continue;
                }
                Some(_) => return Err(NotMine),
            }
            return Ok(cell);
        }
    }

    fn expect_end(&self) -> Mine<()> {
        match self.rest {
            None => Ok(()),
            Some(_) => Err(NotMine),
        }
    }
}
