//! A batch of puts: records in, the requests of a BatchWriteItem out.

use crate::distinct::Distinct;
use crate::encoder::{Attribute, Contents, Encoder};
use crate::number::Number;
use crate::text::{escaped, Mine, NotMine, Text};
use crate::{csv, plain, typed};

const UNIT_BYTES: usize = 1024; // one write unit writes up to so many
const MOST_ITEM_BYTES: usize = 400 * 1024;
const MOST_TEXT_BYTES: usize = 4 * 1024 * 1024; // of a batch's records, as in `ddbio/sinks/batch.py`
const BEFORE_FIRST: &[u8] = b"{\"PutRequest\":{\"Item\":";
const BETWEEN: &[u8] = b"}},{\"PutRequest\":{\"Item\":";
const AFTER_LAST: &[u8] = b"}}";

/// The notation of records.
pub enum Records {
    Plain,
    Typed,
    Rows(csv::Layout),
}

/// A key attribute of the table or of an index. letter: its type.
pub struct Key {
    pub name: String,
    pub letter: u8,
    pub most_bytes: usize,
}

/// An index: its key attributes, and those that its entries have; None for all.
pub struct Index {
    pub keys: Vec<String>,
    pub projected: Option<Vec<String>>,
}

/// A name that is looked for in items. key: if it must have a type.
struct Watched {
    name: Vec<u8>, // escaped, as in requests
    key: Option<(u8, usize)>,
}

/// The same index, by places in the list of watched names.
struct WatchedIndex {
    keys: Vec<usize>,
    projected: Option<Vec<usize>>,
}

/// The table that the puts go to.
pub struct Table {
    watched: Vec<Watched>, // the table's keys first
    own_keys: usize,
    indexes: Vec<WatchedIndex>,
}

/// requests: as `put_requests` of `ddbio/dynamodb/operations.py` joins them. units: of the table. entries: units of
/// the entries that the items have, by index.
pub struct Puts {
    pub requests: Vec<u8>,
    pub units: usize,
    pub entries: Vec<usize>,
}

impl Table {
    pub fn new(keys: Vec<Key>, index_keys: Vec<Key>, indexes: Vec<Index>) -> Self {
        let own_keys = keys.len();
        let mut table = Table { watched: Vec::new(), own_keys, indexes: Vec::new() };
        for key in keys.into_iter().chain(index_keys) {
            table.watched.push(Watched { name: escaped(&key.name), key: Some((key.letter, key.most_bytes)) });
        }
        for index in indexes {
            let mut places = |names: Vec<String>| names.iter().map(|name| table.place(name)).collect::<Vec<_>>();
            let watched = WatchedIndex { keys: places(index.keys), projected: index.projected.map(&mut places) };
            table.indexes.push(watched);
        }
        table
    }

    /// The place of a name, which is watched from now on.
    fn place(&mut self, name: &str) -> usize {
        let name = escaped(name);
        self.watched.iter().position(|each| each.name == name).unwrap_or_else(|| {
            self.watched.push(Watched { name, key: None });
            self.watched.len() - 1
        })
    }

    /// The puts of all records. Not mine if any of them is not, or two have the same key.
    pub fn puts(&self, notation: &Records, records: &[impl AsRef<[u8]>]) -> Mine<Puts> {
        let text_bytes: usize = records.iter().map(|record| record.as_ref().len()).sum();
        if text_bytes > MOST_TEXT_BYTES {
            return Err(NotMine);
        }
        let mut to = Encoder::default();
        to.out.reserve(2 * text_bytes + 64 * records.len());
        let mut item = Item::new(self);
        let (mut keys, mut key) = (Distinct::default(), Vec::new());
        let (mut units, mut entries) = (0, vec![0; self.indexes.len()]);
        for record in records {
            to.put(if to.out.is_empty() { BEFORE_FIRST } else { BETWEEN });
            let all = item.read(notation, &mut to, record.as_ref())?;
            key.clear();
            item.identity(&mut key);
            if !keys.is_new(0, &key) {
                return Err(NotMine);
            }
            units += units_of(all.size);
            for (index, sum) in self.indexes.iter().zip(&mut entries) {
                *sum += item.entry_units(index, all.size);
            }
        }
        to.put(AFTER_LAST);
        Ok(Puts { requests: to.out, units, entries })
    }
}

/// What is noted of the item that is being read.
///
/// sizes: of the watched attributes; 0 for one that is missing. parts: of the key, the same for equal ones.
struct Item<'a> {
    table: &'a Table,
    sizes: Vec<usize>,
    parts: Vec<Vec<u8>>,
}

impl<'a> Item<'a> {
    fn new(table: &'a Table) -> Self {
        Item { table, sizes: vec![0; table.watched.len()], parts: vec![Vec::new(); table.own_keys] }
    }

    fn read(&mut self, notation: &Records, to: &mut Encoder, record: &[u8]) -> Mine<Contents> {
        self.sizes.fill(0);
        let note = |attribute: Attribute| self.note(attribute);
        let all = match notation {
            Records::Plain => Text::whole(record, |text| plain::item(to, text, note)),
            Records::Typed => Text::whole(record, |text| typed::item(to, text, note)),
            Records::Rows(layout) => layout.item(to, record, note),
        }?;
        if all.size > MOST_ITEM_BYTES || self.sizes[..self.table.own_keys].contains(&0) {
            return Err(NotMine);
        }
        Ok(all)
    }

    #[inline]
    fn note(&mut self, attribute: Attribute) -> Mine<()> {
        let Some(place) = self.table.watched.iter().position(|each| each.name == attribute.name) else {
            return Ok(());
        };
        self.sizes[place] = attribute.name_size + attribute.value_size;
        let Some((letter, most_bytes)) = self.table.watched[place].key else {
            return Ok(());
        };
        let content = content_of(attribute.value, letter)?;
        if attribute.value_size > most_bytes {
            return Err(NotMine);
        }
        if let Some(part) = self.parts.get_mut(place) {
            part.clear();
            if letter == b'N' {
                Number::of(content)?.identity(part)?;
            } else {
                part.extend_from_slice(content);
            }
        }
        Ok(())
    }

    /// Appends a text that is the same for items with the same key.
    fn identity(&self, out: &mut Vec<u8>) {
        for part in &self.parts {
            out.extend_from_slice(&part.len().to_le_bytes());
            out.extend_from_slice(part);
        }
    }

    /// The units of the item's entry in an index; none if it lacks a key of it. item_size: of the item.
    fn entry_units(&self, index: &WatchedIndex, item_size: usize) -> usize {
        if index.keys.iter().any(|&place| self.sizes[place] == 0) {
            return 0;
        }
        match &index.projected {
            Some(places) => units_of(places.iter().map(|&place| self.sizes[place]).sum()),
            None => units_of(item_size),
        }
    }
}

/// The content of a value of this type, `{"S":"text"}`; not mine if it has another type or is empty.
fn content_of(value: &[u8], letter: u8) -> Mine<&[u8]> {
    match value {
        [b'{', b'"', found, b'"', b':', b'"', content @ .., b'"', b'}']
            if *found == letter && !content.is_empty() =>
        {
            Ok(content)
        }
        _ => Err(NotMine),
    }
}

fn units_of(size: usize) -> usize {
    size.div_ceil(UNIT_BYTES).max(1)
}
