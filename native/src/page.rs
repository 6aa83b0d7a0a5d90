//! A page of a Scan: the answer in, its items out as lines of plain JSON, the format `json`.
//!
//! The attributes of a line are in the order of their names.

use crate::distinct::Distinct;
use crate::number;
use crate::text::{Mine, NotMine, Text};

const MOST_DEPTH: usize = 32; // levels of nesting that DynamoDB stores
const EMPTY: &[u8] = b"[]";

/// lines: one an item, each with its line end. rest: the answer without its items.
pub struct Page {
    pub lines: Vec<u8>,
    pub count: usize,
    pub rest: Vec<u8>,
}

/// The items of an answer with one list of items.
pub fn page(body: &[u8]) -> Mine<Page> {
    let mut text = Text::new(body)?;
    let mut lines = Lines::default();
    let mut found: Option<(usize, std::ops::Range<usize>)> = None;
    text.expect(b'{')?;
    let mut first = true;
    while !text.takes(b'}') {
        if !first {
            text.expect(b',')?;
        }
        first = false;
        let is_items = text.peek_name() == Some(b"Items");
        text.skip_string()?;
        text.expect(b':')?;
        if !is_items {
            text.skip_value()?;
            continue;
        }
        if found.is_some() {
            return Err(NotMine);
        }
        text.next();
        let start = text.place();
        lines.out.reserve(body.len());
        let count = lines.items(&mut text)?;
        found = Some((count, start..text.place()));
    }
    text.expect_end()?;
    let (count, place) = found.ok_or(NotMine)?;
    Ok(Page { lines: lines.out, count, rest: [&body[..place.start], EMPTY, &body[place.end..]].concat() })
}

/// Lines being written. attribute: those of the item that is being read, in the order in which they came.
#[derive(Default)]
struct Lines {
    out: Vec<u8>,
    distinct: Distinct,
    attributes: Vec<Attribute>,
    unsorted: Vec<u8>,
}

/// The places of an attribute in a line, `"name":value`; the name ends before its second quote.
struct Attribute {
    start: usize,
    name_end: usize,
    end: usize,
}

impl Lines {
    /// Reads the list of items. Returns their number.
    fn items(&mut self, text: &mut Text) -> Mine<usize> {
        text.expect(b'[')?;
        let mut count = 0;
        while !text.takes(b']') {
            if count > 0 {
                text.expect(b',')?;
            }
            self.item(text)?;
            count += 1;
        }
        Ok(count)
    }

    fn item(&mut self, text: &mut Text) -> Mine<()> {
        let line = self.out.len();
        self.attributes.clear();
        text.expect(b'{')?;
        self.out.push(b'{');
        while !text.takes(b'}') {
            if !self.attributes.is_empty() {
                text.expect(b',')?;
                self.out.push(b',');
            }
            let start = self.out.len();
            text.string(&mut self.out)?;
            let name_end = self.out.len() - 1;
            if self.out[start + 1..name_end].contains(&b'\\') {
                return Err(NotMine); // its order is that of other bytes
            }
            text.expect(b':')?;
            self.out.push(b':');
            self.value(text, 0)?;
            self.attributes.push(Attribute { start, name_end, end: self.out.len() });
        }
        self.out.extend_from_slice(b"}\n");
        if self.attributes.windows(2).all(|two| name(&self.out, &two[0]) < name(&self.out, &two[1])) {
            return Ok(());
        }
        self.sort(line)
    }

    /// Puts the attributes of the last line, which begins at `line`, in the order of their names. A name that comes
    /// twice is not mine.
    #[inline(never)]
    fn sort(&mut self, line: usize) -> Mine<()> {
        self.unsorted.clear();
        self.unsorted.extend_from_slice(&self.out[line..]);
        let unsorted = &self.unsorted;
        for each in &mut self.attributes {
            *each = Attribute { start: each.start - line, name_end: each.name_end - line, end: each.end - line };
        }
        self.attributes.sort_unstable_by(|one, other| name(unsorted, one).cmp(name(unsorted, other)));
        if self.attributes.windows(2).any(|two| name(unsorted, &two[0]) == name(unsorted, &two[1])) {
            return Err(NotMine);
        }
        self.out.truncate(line + 1);
        for each in &self.attributes {
            if self.out.len() > line + 1 {
                self.out.push(b',');
            }
            self.out.extend_from_slice(&unsorted[each.start..each.end]);
        }
        self.out.extend_from_slice(b"}\n");
        Ok(())
    }

    /// Reads a typed value, and appends the plain one. depth: the lists and maps around it.
    fn value(&mut self, text: &mut Text, depth: usize) -> Mine<()> {
        text.expect(b'{')?;
        let letter = text.peek_name().ok_or(NotMine)?;
        text.skip_name(letter);
        text.expect(b':')?;
        match letter {
            b"S" => text.string(&mut self.out).map(|_| ())?,
            b"N" => self.number(text)?,
            b"BOOL" => {
                let word: &[u8] = if text.next() == b't' { b"true" } else { b"false" };
                text.expect_word(word)?;
                self.put(word);
            }
            b"NULL" => {
                text.next();
                text.expect_word(b"true")?;
                self.put(b"null");
            }
            b"M" => self.map(text, depth)?,
            b"L" => self.array(text, |lines, text| lines.value(text, deeper(depth)?))?,
            b"B" => self.tagged(b"{\"$B\":", |lines, text| text.string(&mut lines.out).map(|_| ()), text)?,
            b"SS" => self.tagged(b"{\"$SS\":", Self::strings, text)?,
            b"NS" => self.tagged(b"{\"$NS\":", |lines, text| lines.array(text, Self::number), text)?,
            b"BS" => self.tagged(b"{\"$BS\":", Self::strings, text)?,
            _ => return Err(NotMine),
        }
        text.expect(b'}')
    }

    fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn tagged(
        &mut self,
        tag: &[u8],
        content: impl FnOnce(&mut Self, &mut Text) -> Mine<()>,
        text: &mut Text,
    ) -> Mine<()> {
        self.put(tag);
        content(self, text)?;
        self.out.push(b'}');
        Ok(())
    }

    /// Reads a number in quotes, and appends its digits. One that is not in JSON's notation is not mine.
    fn number(&mut self, text: &mut Text) -> Mine<()> {
        text.expect(b'"')?;
        let digits = text.number();
        text.expect_word(b"\"")?;
        if !number::is_json(digits) {
            return Err(NotMine);
        }
        self.put(digits);
        Ok(())
    }

    fn strings(&mut self, text: &mut Text) -> Mine<()> {
        self.array(text, |lines, text| text.string(&mut lines.out).map(|_| ()))
    }

    fn array(&mut self, text: &mut Text, mut element: impl FnMut(&mut Self, &mut Text) -> Mine<()>) -> Mine<()> {
        text.expect(b'[')?;
        self.out.push(b'[');
        let mut first = true;
        while !text.takes(b']') {
            if !first {
                text.expect(b',')?;
                self.out.push(b',');
            }
            first = false;
            element(self, text)?;
        }
        self.out.push(b']');
        Ok(())
    }

    /// Reads a map, and appends an object; in a tag if it could be taken for one.
    fn map(&mut self, text: &mut Text, depth: usize) -> Mine<()> {
        let depth = deeper(depth)?;
        let group = self.distinct.begin();
        let start = self.out.len();
        text.expect(b'{')?;
        self.out.push(b'{');
        let mut count = 0;
        while !text.takes(b'}') {
            if count > 0 {
                text.expect(b',')?;
                self.out.push(b',');
            }
            let name = self.out.len() + 1;
            text.string(&mut self.out)?;
            if !self.distinct.is_new(group, &self.out[name..self.out.len() - 1]) {
                return Err(NotMine);
            }
            text.expect(b':')?;
            self.out.push(b':');
            self.value(text, depth)?;
            count += 1;
        }
        self.out.push(b'}');
        self.distinct.end(group);
        if count == 1 && self.out[start..].starts_with(b"{\"$") {
            self.out.splice(start..start, *b"{\"$M\":");
            self.out.push(b'}');
        }
        Ok(())
    }
}

fn name<'a>(out: &'a [u8], attribute: &Attribute) -> &'a [u8] {
    &out[attribute.start + 1..attribute.name_end]
}

fn deeper(depth: usize) -> Mine<usize> {
    if depth < MOST_DEPTH {
        Ok(depth + 1)
    } else {
        Err(NotMine)
    }
}
