//! Plain JSON, the format `json`: an object of plain values, with `$`-tags for the types that JSON lacks.

use crate::encoder::{Attribute, Contents, Encoder, Notation};
use crate::number::Number;
use crate::text::{Mine, NotMine, Text};

pub struct Plain;

impl Notation for Plain {
    #[inline]
    fn value(to: &mut Encoder, text: &mut Text, depth: usize) -> Mine<usize> {
        match text.next() {
            b'"' => to.text(text),
            b'-' | b'0'..=b'9' => {
                to.put(b"{\"N\":");
                let size = number(to, text)?;
                to.put(b"}");
                Ok(size)
            }
            b'{' => object(to, text, depth),
            b'[' => to.list::<Plain>(text, depth),
            b't' => word(to, text, b"true", b"{\"BOOL\":true}"),
            b'f' => word(to, text, b"false", b"{\"BOOL\":false}"),
            b'n' => word(to, text, b"null", b"{\"NULL\":true}"),
            _ => Err(NotMine),
        }
    }
}

/// Reads a record, and appends the item.
pub fn item(to: &mut Encoder, text: &mut Text, note: impl FnMut(Attribute) -> Mine<()>) -> Mine<Contents> {
    to.attributes::<Plain>(text, 0, note)
}

fn word(to: &mut Encoder, text: &mut Text, word: &[u8], typed: &[u8]) -> Mine<usize> {
    text.expect_word(word)?;
    to.put(typed);
    Ok(1)
}

/// Reads a number, and appends it in quotes.
fn number(to: &mut Encoder, text: &mut Text) -> Mine<usize> {
    text.next();
    let digits = text.number();
    let number = Number::of(digits)?;
    if number.is_negative_zero() {
        return Err(NotMine); // Python writes it as 0
    }
    to.out.push(b'"');
    to.put(digits);
    to.out.push(b'"');
    Ok(number.size())
}

/// Reads an object: a map, or a value of a type that JSON lacks.
fn object(to: &mut Encoder, text: &mut Text, depth: usize) -> Mine<usize> {
    let start = to.out.len();
    let all = {
        let mut ahead = text.clone();
        ahead.expect(b'{')?;
        match ahead.peek_name() {
            Some(tag @ (b"$B" | b"$SS" | b"$NS" | b"$BS" | b"$M")) => {
                ahead.skip_name(tag);
                ahead.expect(b':')?;
                let size = tagged(to, &mut ahead, tag, depth)?;
                ahead.expect(b'}')?; // a map with more names than the tag is not mine
                *text = ahead;
                return Ok(size);
            }
            _ => to.map::<Plain>(text, depth)?,
        }
    };
    // A tag may be written with escapes, and a map of a single name like a tag is rare.
    if all.count == 1 && to.out[start..].starts_with(b"{\"M\":{\"$") {
        return Err(NotMine);
    }
    Ok(all.size_of_container())
}

fn tagged(to: &mut Encoder, text: &mut Text, tag: &[u8], depth: usize) -> Mine<usize> {
    match tag {
        b"$B" => to.binary(text),
        b"$SS" => to.set_of_texts(text),
        b"$NS" => to.set_of_numbers(text, number),
        b"$BS" => to.set_of_binaries(text),
        _ => Ok(to.map::<Plain>(text, depth)?.size_of_container()),
    }
}
