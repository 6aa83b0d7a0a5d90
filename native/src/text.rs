//! A JSON text that is read once, from its first byte to its last.
//!
//! Everything here reads strictly what RFC 8259 allows. A text that is unusual in any way is `NotMine`: the caller's
//! caller, in Python, decides what it is and words the error.

/// The text is not for this core: it is wrong, or rare. Nothing more is known about it.
#[derive(Debug)]
pub struct NotMine;

pub type Mine<T> = Result<T, NotMine>;

/// A text and the place up to which it was read. The text is valid UTF-8.
#[derive(Clone)]
pub struct Text<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Text<'a> {
    pub fn new(bytes: &'a [u8]) -> Mine<Self> {
        std::str::from_utf8(bytes).map_err(|_| NotMine)?;
        Ok(Text { bytes, at: 0 })
    }

    /// Reads a text to its end.
    #[inline]
    pub fn whole<T>(bytes: &'a [u8], read: impl FnOnce(&mut Self) -> Mine<T>) -> Mine<T> {
        let mut text = Text::new(bytes)?;
        let found = read(&mut text)?;
        text.expect_end()?;
        Ok(found)
    }

    /// The next byte that is no blank; 0 at the end, which is no byte of JSON outside of strings.
    #[inline]
    pub fn next(&mut self) -> u8 {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                Some(&byte) => return byte,
                None => return 0,
            }
        }
    }

    /// Whether the next byte is this one; if so, it was read.
    #[inline]
    pub fn takes(&mut self, byte: u8) -> bool {
        let found = self.next() == byte;
        self.at += usize::from(found);
        found
    }

    #[inline]
    pub fn expect(&mut self, byte: u8) -> Mine<()> {
        if self.takes(byte) {
            Ok(())
        } else {
            Err(NotMine)
        }
    }

    /// Nothing but blanks is left.
    pub fn expect_end(&mut self) -> Mine<()> {
        self.next();
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(NotMine)
        }
    }

    /// These very bytes, at the place itself.
    #[inline]
    pub fn expect_word(&mut self, word: &[u8]) -> Mine<()> {
        if self.bytes[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(NotMine)
        }
    }

    /// The content of a short string that begins here, if it has no escape; reads nothing.
    #[inline]
    pub fn peek_name(&mut self) -> Option<&'a [u8]> {
        if self.next() != b'"' {
            return None;
        }
        let rest = &self.bytes[self.at + 1..];
        let end = rest.iter().take(8).position(|&byte| byte == b'"')?;
        let name = &rest[..end];
        (!name.contains(&b'\\')).then_some(name)
    }

    /// Reads the name that `peek_name` found.
    #[inline]
    pub fn skip_name(&mut self, name: &[u8]) {
        self.at += name.len() + 2;
    }

    /// Reads a string and appends it to `out` in quotes, escaped as msgspec and orjson do: the same string always
    /// becomes the same bytes. Returns how many bytes its characters have in UTF-8.
    #[inline]
    pub fn string(&mut self, out: &mut Vec<u8>) -> Mine<usize> {
        self.expect(b'"')?;
        let start = self.at;
        self.at = plain_until(self.bytes, start);
        if self.bytes.get(self.at) == Some(&b'"') {
            self.at += 1;
            out.extend_from_slice(&self.bytes[start - 1..self.at]);
            return Ok(self.at - start - 1);
        }
        self.escaped_string(start, out)
    }

    /// The same of a string with an escape or a fault at the place, and nothing unusual since `start`.
    #[cold]
    fn escaped_string(&mut self, start: usize, out: &mut Vec<u8>) -> Mine<usize> {
        out.push(b'"');
        out.extend_from_slice(&self.bytes[start..self.at]);
        let mut size = self.at - start;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    out.push(b'"');
                    self.at += 1;
                    return Ok(size);
                }
                Some(b'\\') => {
                    self.at += 1;
                    size += self.escape(out)?;
                }
                _ => return Err(NotMine), // a control character, or the end
            }
            let plain = self.at;
            self.at = plain_until(self.bytes, plain);
            out.extend_from_slice(&self.bytes[plain..self.at]);
            size += self.at - plain;
        }
    }

    /// Reads what follows a backslash. Returns the bytes of the character in UTF-8.
    fn escape(&mut self, out: &mut Vec<u8>) -> Mine<usize> {
        let byte = *self.bytes.get(self.at).ok_or(NotMine)?;
        self.at += 1;
        match byte {
            b'/' => out.push(b'/'),
            b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => out.extend_from_slice(&[b'\\', byte]),
            b'u' => {
                let character = self.code_point()?;
                push_character(character, out);
                return Ok(character.len_utf8());
            }
            _ => return Err(NotMine),
        }
        Ok(1)
    }

    /// Reads the digits of a `\u` escape, and of the second one of a pair of surrogates. Half a pair is not mine.
    fn code_point(&mut self) -> Mine<char> {
        let first = self.four_digits()?;
        let code = if (0xd800..0xdc00).contains(&first) {
            self.expect_word(b"\\u")?;
            let second = self.four_digits()?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(NotMine);
            }
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        char::from_u32(code).ok_or(NotMine)
    }

    fn four_digits(&mut self) -> Mine<u32> {
        let digits = self.bytes.get(self.at..self.at + 4).ok_or(NotMine)?;
        self.at += 4;
        digits.iter().try_fold(0, |code, &digit| Ok(code << 4 | char::from(digit).to_digit(16).ok_or(NotMine)?))
    }

    /// The number of bytes that were read.
    pub fn place(&self) -> usize {
        self.at
    }

    /// Reads a string, without looking at its escapes.
    pub fn skip_string(&mut self) -> Mine<()> {
        self.expect(b'"')?;
        loop {
            self.at = plain_until(self.bytes, self.at);
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') if self.at + 2 <= self.bytes.len() => self.at += 2,
                _ => return Err(NotMine),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Reads a value up to its end, without looking at what is inside: it is for others to read.
    pub fn skip_value(&mut self) -> Mine<()> {
        let mut depth = 0_usize;
        loop {
            match self.next() {
                b'"' => self.skip_string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1).ok_or(NotMine)?;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                byte if byte.is_ascii_alphanumeric() || byte == b'-' => self.skip_word(),
                _ => return Err(NotMine),
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn skip_word(&mut self) {
        while matches!(self.bytes.get(self.at), Some(byte) if byte.is_ascii_alphanumeric() || b"-+.".contains(byte)) {
            self.at += 1;
        }
    }

    /// Reads a number: the longest run of bytes that numbers have. Whether it is one is for `Number::of` to say.
    #[inline]
    pub fn number(&mut self) -> &'a [u8] {
        let start = self.at;
        while let Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
        }
        &self.bytes[start..self.at]
    }
}

/// A text as `Text::string` writes it, without the quotes.
pub fn escaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    push_escaped(text.as_bytes(), &mut out);
    out
}

/// Appends a text as `Text::string` writes it, without the quotes. text: valid UTF-8.
#[inline]
pub fn push_escaped(text: &[u8], out: &mut Vec<u8>) {
    let mut start = 0;
    loop {
        let end = plain_until(text, start);
        out.extend_from_slice(&text[start..end]);
        let Some(&byte) = text.get(end) else {
            return;
        };
        push_character(char::from(byte), out);
        start = end + 1;
    }
}

fn push_character(character: char, out: &mut Vec<u8>) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\u{8}' => out.extend_from_slice(b"\\b"),
        '\u{9}' => out.extend_from_slice(b"\\t"),
        '\u{a}' => out.extend_from_slice(b"\\n"),
        '\u{c}' => out.extend_from_slice(b"\\f"),
        '\u{d}' => out.extend_from_slice(b"\\r"),
        '\u{0}'..='\u{1f}' => out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes()),
        _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGHEST: u64 = 0x8080_8080_8080_8080;
const SHORT_BYTES: usize = 32; // a text that is longer is worth a call

/// The first place from `at` on with a quote, a backslash or a control character; the end if there is none.
#[inline]
fn plain_until(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    // Eight bytes at a time. In each of the three tests the lowest byte found is right; a carry may find others above.
    while let Some(eight) = bytes[at..].first_chunk() {
        let word = u64::from_le_bytes(*eight);
        let zero_in = |word: u64| word.wrapping_sub(EACH) & !word;
        let control = word.wrapping_sub(EACH * 0x20) & !word;
        let found =
            (zero_in(word ^ (EACH * b'"' as u64)) | zero_in(word ^ (EACH * b'\\' as u64)) | control) & HIGHEST;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
        if at - start == SHORT_BYTES {
            at = skip_plain(bytes, at);
        }
    }
    while at < bytes.len() && !matches!(bytes[at], b'"' | b'\\' | 0..=0x1f) {
        at += 1;
    }
    at
}

/// The place from `at` on up to which there is none of those bytes, though the next may be somewhat further.
#[inline(never)]
fn skip_plain(bytes: &[u8], mut at: usize) -> usize {
    // All bytes of a chunk are looked at, without a branch: the compiler makes vectors of that.
    while let Some(chunk) = bytes[at..].first_chunk::<64>() {
        if chunk.iter().fold(false, |found, &byte| found | (byte == b'"') | (byte == b'\\') | (byte < 0x20)) {
            break;
        }
        at += chunk.len();
    }
    at
}
