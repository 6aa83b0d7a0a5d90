//! Numbers as text: whether DynamoDB keeps one, and how many bytes it takes there.

use crate::text::{Mine, NotMine};

const MOST_DIGITS: usize = 38;
/// With so many digits at most, a number with such an exponent is far inside of DynamoDB's range, 1E-130 to 9.9E+125.
const MOST_EXPONENT: i32 = 80;

/// A number in JSON's notation, which DynamoDB stores without loss.
pub struct Number<'a> {
    text: &'a [u8],
    whole_digits: usize,
    fraction_digits: usize,
    exponent: Option<i32>,
}

impl<'a> Number<'a> {
    pub fn of(text: &'a [u8]) -> Mine<Self> {
        let unsigned = text.strip_prefix(b"-").unwrap_or(text);
        let whole_digits = digits_in(unsigned);
        if whole_digits == 0 || (whole_digits > 1 && unsigned[0] == b'0') {
            return Err(NotMine);
        }
        let mut rest = &unsigned[whole_digits..];
        let mut fraction_digits = 0;
        if let Some(fraction) = rest.strip_prefix(b".") {
            fraction_digits = digits_in(fraction);
            if fraction_digits == 0 {
                return Err(NotMine);
            }
            rest = &fraction[fraction_digits..];
        }
        let exponent = if rest.is_empty() { None } else { Some(exponent_of(rest)?) };
        if whole_digits + fraction_digits > MOST_DIGITS {
            return Err(NotMine);
        }
        Ok(Number { text, whole_digits, fraction_digits, exponent })
    }

    /// `-0` is an integer in JSON, and Python has no such integer.
    pub fn is_negative_zero(&self) -> bool {
        self.text == b"-0"
    }

    /// Whether it has no exponent, and is no zero with a sign.
    pub fn is_plain(&self) -> bool {
        let is_zero = || self.whole().iter().chain(self.fraction()).all(|&digit| digit == b'0');
        self.exponent.is_none() && !(self.is_negative() && is_zero())
    }

    fn is_negative(&self) -> bool {
        self.text[0] == b'-'
    }

    fn whole(&self) -> &'a [u8] {
        let start = usize::from(self.is_negative());
        &self.text[start..start + self.whole_digits]
    }

    fn fraction(&self) -> &'a [u8] {
        let start = usize::from(self.is_negative()) + self.whole_digits + 1;
        self.text.get(start..start + self.fraction_digits).unwrap_or(b"")
    }

    /// Bytes in an item: `number_size_bytes` of `ddbio/values/capacity.py` has the rule.
    pub fn size(&self) -> usize {
        let digits = || self.whole().iter().chain(self.fraction());
        let Some(first) = digits().position(|&digit| digit != b'0') else {
            return 1;
        };
        let last = self.whole_digits + self.fraction_digits
            - self
                .fraction()
                .iter()
                .rev()
                .chain(self.whole().iter().rev())
                .position(|&digit| digit != b'0')
                .unwrap_or(0);
        let significant = last - first;
        let exponent = self.whole_digits as i32 - 1 - first as i32 + self.exponent.unwrap_or(0);
        let is_even = significant % 2 == 0 && exponent % 2 == 0;
        1 + significant.div_ceil(2) + usize::from(is_even) + usize::from(self.is_negative())
    }

    /// Appends a text that is the same for equal numbers. One with an exponent is not mine.
    pub fn identity(&self, out: &mut Vec<u8>) -> Mine<()> {
        if self.exponent.is_some() {
            return Err(NotMine);
        }
        let fraction = self.fraction();
        let kept = fraction.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1);
        if self.is_negative() && (kept > 0 || self.whole() != b"0") {
            out.push(b'-');
        }
        out.extend_from_slice(self.whole());
        if kept > 0 {
            out.push(b'.');
            out.extend_from_slice(&fraction[..kept]);
        }
        Ok(())
    }
}

/// Whether a text is a number in JSON's notation, of whatever size.
#[inline]
pub fn is_json(text: &[u8]) -> bool {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits_in(unsigned);
    if whole == 0 || (whole > 1 && unsigned[0] == b'0') {
        return false;
    }
    let mut rest = &unsigned[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = digits_in(fraction);
        if digits == 0 {
            return false;
        }
        rest = &fraction[digits..];
    }
    match rest {
        [] => true,
        [b'e' | b'E', b'-' | b'+', digits @ ..] | [b'e' | b'E', digits @ ..] => {
            !digits.is_empty() && digits_in(digits) == digits.len()
        }
        _ => false,
    }
}

fn digits_in(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// text: `e5`, `E+05`.
fn exponent_of(text: &[u8]) -> Mine<i32> {
    let (sign, digits) = match text {
        [b'e' | b'E', b'-', digits @ ..] => (-1, digits),
        [b'e' | b'E', b'+', digits @ ..] | [b'e' | b'E', digits @ ..] => (1, digits),
        _ => return Err(NotMine),
    };
    if digits.is_empty() || digits.len() > 3 || digits_in(digits) < digits.len() {
        return Err(NotMine);
    }
    let exponent = digits.iter().fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'));
    if exponent > MOST_EXPONENT {
        return Err(NotMine);
    }
    Ok(sign * exponent)
}
