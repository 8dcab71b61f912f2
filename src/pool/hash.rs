//! A keyed hash: SipHash-2-4, the same on every machine and in every version of Evenly.
//!
//! Called by the policy `hash`, for the names of backends, and by whoever makes keys and tokens.
//! The standard library's hasher is no substitute: its algorithm may change with the compiler, and
//! then two Evenlys, or one before and after an update, would send a client to different backends.
//!
//! Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.

/// The hash of `bytes`. Without the key nobody can foretell it, nor find two inputs that share one.
/// `key` is the paper's 16 bytes, each half read as little-endian.
pub fn siphash(key: [u64; 2], bytes: &[u8]) -> u64 {
    let mut state = State::new(key);
    let words = bytes.chunks_exact(8);
    // The last word is filled up with zeros, its last byte is the input's length.
    let mut last = [0; 8];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    last[7] = bytes.len() as u8;
    for word in words {
        state.take(u64::from_le_bytes(word.try_into().expect("a chunk is 8 bytes")));
    }
    state.take(u64::from_le_bytes(last));
    state.finish()
}

/// The four words of the paper, v0 to v3.
struct State([u64; 4]);

impl State {
    /// The key, against "somepseudorandomlygeneratedbytes".
    fn new([low, high]: [u64; 2]) -> Self {
        Self([
            low ^ 0x736f_6d65_7073_6575,
            high ^ 0x646f_7261_6e64_6f6d,
            low ^ 0x6c79_6765_6e65_7261,
            high ^ 0x7465_6462_7974_6573,
        ])
    }

    /// The 2 of SipHash-2-4: rounds for each word.
    fn take(&mut self, word: u64) {
        self.0[3] ^= word;
        (0..2).for_each(|_| self.round());
        self.0[0] ^= word;
    }

    /// The 4: rounds at the end.
    fn finish(mut self) -> u64 {
        self.0[2] ^= 0xff;
        (0..4).for_each(|_| self.round());
        self.0.into_iter().fold(0, |hash, word| hash ^ word)
    }

    fn round(&mut self) {
        let [a, b, c, d] = &mut self.0;
        *a = a.wrapping_add(*b);
        *c = c.wrapping_add(*d);
        *b = b.rotate_left(13) ^ *a;
        *d = d.rotate_left(16) ^ *c;
        *a = a.rotate_left(32).wrapping_add(*d);
        *c = c.wrapping_add(*b);
        *b = b.rotate_left(17) ^ *c;
        *d = d.rotate_left(21) ^ *a;
        *c = c.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of the paper's test vectors: bytes 00 to 0f.
    const KEY: [u64; 2] = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];

    #[test]
    fn it_is_the_papers_function() {
        let bytes: Vec<u8> = (0..64).collect();
        // The paper's own (appendix A), and others of its reference implementation: nothing, one
        // byte, one whole word, one word and a byte, all but one of 64.
        let cases = [
            (15, 0xa129_ca61_49be_45e5),
            (0, 0x726f_db47_dd0e_0e31),
            (1, 0x74f8_39c5_93dc_67fd),
            (8, 0x93f5_f579_9a93_2462),
            (9, 0x9e00_82df_0ba9_e4b0),
            (63, 0x958a_324c_eb06_4572),
        ];
        for (length, expected) in cases {
            assert_eq!(siphash(KEY, &bytes[..length]), expected, "of {length} bytes");
        }
    }

    #[test]
    fn the_key_and_trailing_zeros_count() {
        let hashes = [
            siphash(KEY, b"a"),
            siphash(KEY, b"a\0"),
            siphash([0, 0], b"a"),
            siphash([0, 1], b"a"),
        ];
        for (at, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..at].contains(hash), "{hashes:x?}");
        }
    }
}
