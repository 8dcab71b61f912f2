//! Any bytes as a body: the same data however they are cut, no more of it than came, and the same
//! again once rewritten.
#![no_main]

use evenly::http::Framing;
use evenly::http::body::{Reader, write_chunk, write_last_chunk};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, Vec<u8>, &[u8])| {
    let (kind, cuts, bytes) = input;
    let (framing, reader): (_, fn(Framing) -> Reader) = match kind {
        0 => (Framing::UntilClose, Reader::of_answer),
        1..16 => (Framing::Length(u64::from(kind)), Reader::new),
        16..128 => (Framing::Chunked, Reader::of_answer),
        _ => (Framing::Chunked, Reader::new),
    };
    let whole = read(reader(framing), [bytes].into_iter());
    assert!(whole.data.len() <= whole.consumed && whole.consumed <= bytes.len());
    let cut = read(reader(framing), pieces(bytes, &cuts).into_iter());
    assert_eq!(cut, whole, "a cut changes the body");
    if framing == Framing::Chunked && whole.done {
        let mut sent = Vec::new();
        write_chunk(&mut sent, &whole.data);
        write_last_chunk(&mut sent, &whole.trailers);
        let again = read(Reader::new(framing), [&sent[..]].into_iter());
        assert!(again.done && again.consumed == sent.len());
        assert_eq!((again.data, again.trailers), (whole.data, whole.trailers));
    }
});

/// What came of a body.
#[derive(Debug, PartialEq)]
struct Body {
    data: Vec<u8>,
    /// Bytes used up before the end or the first bad byte; where that is, pieces need not agree.
    consumed: usize,
    done: bool,
    broken: bool,
    trailers: Vec<u8>,
}

fn read<'a>(mut reader: Reader, pieces: impl Iterator<Item = &'a [u8]>) -> Body {
    let mut body =
        Body { data: Vec::new(), consumed: 0, done: false, broken: false, trailers: Vec::new() };
    for mut piece in pieces {
        while !piece.is_empty() && !reader.is_done() {
            let Ok(next) = reader.next(piece) else {
                return Body { consumed: body.data.len(), broken: true, ..body };
            };
            assert!(next.consumed > 0, "no progress");
            body.data.extend_from_slice(next.data);
            body.consumed += next.consumed;
            piece = &piece[next.consumed..];
        }
    }
    body.done = reader.is_done();
    if body.done {
        body.trailers = reader.trailers().to_vec();
    }
    body
}

/// The bytes in pieces of the lengths given, over and over.
fn pieces<'a>(bytes: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
    let mut rest = bytes;
    let mut pieces = Vec::new();
    for length in lengths.iter().chain(std::iter::repeat(&1)).map(|length| usize::from(*length)) {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
