//! DynamoDB's own JSON, the format `dynamodb-json`: each value carries its type.

use crate::encoder::{Attribute, Contents, Encoder, Notation};
use crate::number::Number;
use crate::text::{Mine, NotMine, Text};

pub struct Typed;

impl Notation for Typed {
    #[inline]
    fn value(to: &mut Encoder, text: &mut Text, depth: usize) -> Mine<usize> {
        text.expect(b'{')?;
        let letter = text.peek_name().ok_or(NotMine)?;
        text.skip_name(letter);
        text.expect(b':')?;
        let size = match letter {
            b"S" => to.text(text),
            b"N" => {
                to.put(b"{\"N\":");
                let size = number(to, text)?;
                to.put(b"}");
                Ok(size)
            }
            b"BOOL" if text.next() == b't' => word(to, text, b"true", b"{\"BOOL\":true}"),
            b"BOOL" => word(to, text, b"false", b"{\"BOOL\":false}"),
            b"NULL" => word(to, text, b"true", b"{\"NULL\":true}"),
            b"M" => Ok(to.map::<Typed>(text, depth)?.size_of_container()),
            b"L" => to.list::<Typed>(text, depth),
            b"B" => to.binary(text),
            b"SS" => to.set_of_texts(text),
            b"NS" => to.set_of_numbers(text, number),
            b"BS" => to.set_of_binaries(text),
            _ => Err(NotMine),
        }?;
        text.expect(b'}')?;
        Ok(size)
    }
}

/// Reads a record, with or without `Item` around it, and appends the item.
pub fn item(to: &mut Encoder, text: &mut Text, note: impl FnMut(Attribute) -> Mine<()>) -> Mine<Contents> {
    let mut inside = text.clone();
    inside.expect(b'{')?;
    if inside.peek_name() != Some(b"Item") {
        return to.attributes::<Typed>(text, 0, note);
    }
    // An attribute of that name, with a type in it, is not mine: there are no attributes in it.
    inside.skip_name(b"Item");
    inside.expect(b':')?;
    let all = to.attributes::<Typed>(&mut inside, 0, note)?;
    inside.expect(b'}')?;
    *text = inside;
    Ok(all)
}

fn word(to: &mut Encoder, text: &mut Text, word: &[u8], typed: &[u8]) -> Mine<usize> {
    text.next();
    text.expect_word(word)?;
    to.put(typed);
    Ok(1)
}

/// Reads a number in quotes, and appends it.
fn number(to: &mut Encoder, text: &mut Text) -> Mine<usize> {
    let start = to.out.len() + 1;
    text.string(&mut to.out)?;
    Ok(Number::of(&to.out[start..to.out.len() - 1])?.size())
}
