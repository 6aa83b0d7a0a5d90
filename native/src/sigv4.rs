//! The signature of a request, Signature Version 4.

use sha2::{Digest, Sha256};

const BLOCK_BYTES: usize = 64;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// The key of a day, region and service. inner, outer: the two halves of its HMAC (RFC 2104), each hashed up to its key.
pub struct Key {
    inner: Sha256,
    outer: Sha256,
}

impl Key {
    /// key: at most 64 bytes.
    pub fn new(key: &[u8]) -> Self {
        let padded_with = |pad: u8| {
            let mut block = [pad; BLOCK_BYTES];
            block.iter_mut().zip(key).for_each(|(byte, part)| *byte ^= part);
            Sha256::new().chain_update(block)
        };
        Key { inner: padded_with(0x36), outer: padded_with(0x5c) }
    }

    /// canonical, to_sign: the canonical request and the text to sign, each up to the hash that ends it.
    pub fn signature(&self, canonical: &str, to_sign: &str, body: &[u8]) -> String {
        let request = Sha256::new().chain_update(canonical).chain_update(hex(Sha256::digest(body)));
        let inner = self.inner.clone().chain_update(to_sign).chain_update(hex(request.finalize()));
        hex(self.outer.clone().chain_update(inner.finalize()).finalize())
    }
}

fn hex(hash: impl AsRef<[u8]>) -> String {
    let digit = |half: u8| char::from(HEX[usize::from(half)]);
    hash.as_ref().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
