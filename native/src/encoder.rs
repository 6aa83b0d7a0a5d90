//! Writes DynamoDB's JSON. What the notations of records have in common is here: maps of attributes, texts, binary
//! values and sets.

use crate::distinct::Distinct;
use crate::number::Number;
use crate::text::{Mine, NotMine, Text};

const MOST_DEPTH: usize = 32; // levels of nesting that DynamoDB stores
const MOST_NAME_BYTES: usize = 64 * 1024;
const CONTAINER_BYTES: usize = 3; // a list or map counts so many bytes, and one more for each element
const ELEMENT_BYTES: usize = 1;

/// A notation of values in JSON.
pub trait Notation {
    /// Reads the value that begins at the next byte, and appends it as DynamoDB's JSON, `{"S":"text"}`. Returns its
    /// size in an item. depth: the lists and maps around it.
    fn value(to: &mut Encoder, text: &mut Text, depth: usize) -> Mine<usize>;
}

/// An attribute of an item, as it was written.
pub struct Attribute<'a> {
    pub name: &'a [u8],  // escaped
    pub value: &'a [u8], // `{"S":"text"}`
    pub name_size: usize,
    pub value_size: usize,
}

/// What a map or list counts.
#[derive(Default)]
pub struct Contents {
    pub count: usize,
    pub size: usize,
}

impl Contents {
    pub fn size_of_container(&self) -> usize {
        CONTAINER_BYTES + ELEMENT_BYTES * self.count + self.size
    }
}

#[derive(Default)]
pub struct Encoder {
    pub out: Vec<u8>,
    distinct: Distinct,
}

impl Encoder {
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Reads an object of named values, and appends it as an object of typed ones. note: sees each.
    #[inline]
    pub fn attributes<N: Notation>(
        &mut self,
        text: &mut Text,
        depth: usize,
        mut note: impl FnMut(Attribute) -> Mine<()>,
    ) -> Mine<Contents> {
        let group = self.distinct.begin();
        let mut all = Contents::default();
        text.expect(b'{')?;
        self.out.push(b'{');
        while !text.takes(b'}') {
            if all.count > 0 {
                text.expect(b',')?;
                self.out.push(b',');
            }
            let start = self.out.len();
            let name_size = text.string(&mut self.out)?;
            let name = start + 1..self.out.len() - 1;
            if name_size == 0 || name_size > MOST_NAME_BYTES || !self.distinct.is_new(group, &self.out[name.clone()])
            {
                return Err(NotMine);
            }
            text.expect(b':')?;
            self.out.push(b':');
            let value = self.out.len();
            let value_size = N::value(self, text, depth)?;
            note(Attribute { name: &self.out[name], value: &self.out[value..], name_size, value_size })?;
            all.count += 1;
            all.size += name_size + value_size;
        }
        self.out.push(b'}');
        self.distinct.end(group);
        Ok(all)
    }

    /// Reads an object, and appends a map. depth: of the map.
    pub fn map<N: Notation>(&mut self, text: &mut Text, depth: usize) -> Mine<Contents> {
        self.put(b"{\"M\":");
        let all = self.attributes::<N>(text, deeper(depth)?, |_| Ok(()))?;
        self.put(b"}");
        Ok(all)
    }

    /// Reads an array of values, and appends a list. depth: of the list.
    pub fn list<N: Notation>(&mut self, text: &mut Text, depth: usize) -> Mine<usize> {
        let depth = deeper(depth)?;
        self.put(b"{\"L\":");
        let size = self.array(text, |to, text| N::value(to, text, depth))?.size_of_container();
        self.put(b"}");
        Ok(size)
    }

    /// Reads an array, and appends one. member: reads and appends a member of it, and returns its size.
    #[inline]
    fn array(
        &mut self,
        text: &mut Text,
        mut member: impl FnMut(&mut Self, &mut Text) -> Mine<usize>,
    ) -> Mine<Contents> {
        let mut all = Contents::default();
        text.expect(b'[')?;
        self.out.push(b'[');
        while !text.takes(b']') {
            if all.count > 0 {
                text.expect(b',')?;
                self.out.push(b',');
            }
            all.size += member(self, text)?;
            all.count += 1;
        }
        self.out.push(b']');
        Ok(all)
    }

    /// Reads a string, and appends a text.
    #[inline]
    pub fn text(&mut self, text: &mut Text) -> Mine<usize> {
        self.put(b"{\"S\":");
        let size = text.string(&mut self.out)?;
        self.put(b"}");
        Ok(size)
    }

    /// Reads a string of base64, and appends a binary value.
    pub fn binary(&mut self, text: &mut Text) -> Mine<usize> {
        self.put(b"{\"B\":");
        let size = self.base64(text)?;
        self.put(b"}");
        Ok(size)
    }

    /// Reads a string of base64, and appends it. Returns the number of bytes that it encodes.
    fn base64(&mut self, text: &mut Text) -> Mine<usize> {
        let start = self.out.len() + 1;
        text.string(&mut self.out)?;
        decoded_bytes(&self.out[start..self.out.len() - 1])
    }

    pub fn set_of_texts(&mut self, text: &mut Text) -> Mine<usize> {
        self.put(b"{\"SS\":");
        self.set(text, |to, text| text.string(&mut to.out), as_written)
    }

    pub fn set_of_binaries(&mut self, text: &mut Text) -> Mine<usize> {
        self.put(b"{\"BS\":");
        self.set(text, Encoder::base64, as_written)
    }

    /// number: reads a number and appends it in quotes.
    pub fn set_of_numbers(
        &mut self,
        text: &mut Text,
        number: impl FnMut(&mut Self, &mut Text) -> Mine<usize>,
    ) -> Mine<usize> {
        self.put(b"{\"NS\":");
        self.set(text, number, |member, identity| Number::of(&member[1..member.len() - 1])?.identity(identity))
    }

    /// Reads an array of distinct members, and appends the rest of a set. identify: the same for equal members.
    fn set(
        &mut self,
        text: &mut Text,
        mut member: impl FnMut(&mut Self, &mut Text) -> Mine<usize>,
        identify: impl Fn(&[u8], &mut Vec<u8>) -> Mine<()>,
    ) -> Mine<usize> {
        let group = self.distinct.begin();
        let mut identity = Vec::new();
        let all = self.array(text, |to, text| {
            let start = to.out.len();
            let size = member(to, text)?;
            identity.clear();
            identify(&to.out[start..], &mut identity)?;
            if to.distinct.is_new(group, &identity) {
                Ok(size)
            } else {
                Err(NotMine)
            }
        })?;
        self.distinct.end(group);
        self.put(b"}");
        if all.count == 0 {
            Err(NotMine)
        } else {
            Ok(all.size)
        }
    }
}

/// Members that are equal if they are written alike.
fn as_written(member: &[u8], identity: &mut Vec<u8>) -> Mine<()> {
    identity.extend_from_slice(member);
    Ok(())
}

fn deeper(depth: usize) -> Mine<usize> {
    if depth < MOST_DEPTH {
        Ok(depth + 1)
    } else {
        Err(NotMine)
    }
}

/// The number of bytes that a text of base64 encodes; not mine unless they would be encoded as this very text.
pub fn decoded_bytes(text: &[u8]) -> Mine<usize> {
    let padding = text.iter().rev().take(2).take_while(|&&byte| byte == b'=').count();
    let digits = &text[..text.len() - padding];
    let mut last = 0;
    for &digit in digits {
        last = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return Err(NotMine),
        };
    }
    let unused = last & [0, 0b11, 0b1111][padding];
    if text.len() % 4 == 0 && unused == 0 {
        Ok(text.len() / 4 * 3 - padding)
    } else {
        Err(NotMine)
    }
}
