//! Bodies: framing read in any split, and written.

use super::*;
use proptest::prelude::*;

/// Reads `input` cut into pieces of `step` bytes. What was data, what was left over.
fn read(
    framing: Framing,
    input: &[u8],
    step: usize,
) -> Result<(Vec<u8>, usize, Reader), Malformed> {
    let mut reader = Reader::new(framing);
    let mut data = Vec::new();
    let mut left_over = 0;
    for part in input.chunks(step.max(1)) {
        let mut part = part;
        while !part.is_empty() && !reader.is_done() {
            let piece = reader.next(part)?;
            assert!(piece.consumed > 0 && piece.consumed >= piece.data.len());
            data.extend_from_slice(piece.data);
            part = &part[piece.consumed..];
        }
        left_over += part.len();
    }
    Ok((data, left_over, reader))
}

/// The same at once and byte by byte, which must agree.
fn chunked(input: &str) -> Option<(String, usize, bool, String)> {
    let outcome = |step| {
        let (data, left_over, reader) = read(Framing::Chunked, input.as_bytes(), step).ok()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some((text(&data), left_over, reader.is_done(), text(reader.trailers())))
    };
    let whole = outcome(usize::MAX);
    assert_eq!(whole, outcome(1), "{input:?}");
    whole
}

fn is_body(input: &str, data: &str) {
    assert_eq!(chunked(input), Some((data.into(), 0, true, String::new())), "{input:?}");
}

fn is_malformed(input: &str) {
    assert_eq!(chunked(input), None, "{input:?}");
}

#[test]
fn a_body_of_known_length_ends_there() {
    let (data, left_over, reader) = read(Framing::Length(5), b"helloGET", 3).unwrap();
    assert_eq!((&*data, left_over, reader.is_done()), (&b"hello"[..], 3, true));
    assert!(Reader::new(Framing::None).is_done() && Reader::new(Framing::Length(0)).is_done());
    let mut done = Reader::new(Framing::None);
    assert_eq!(done.next(b"GET"), Ok(Piece { consumed: 0, data: &[] }));
    let mut huge = Reader::new(Framing::Length(i64::MAX as u64));
    assert_eq!(huge.next(b"ab"), Ok(Piece { consumed: 2, data: b"ab" }));
}

#[test]
fn a_body_until_close_takes_all_and_ends_with_the_connection() {
    let (data, _, mut reader) = read(Framing::UntilClose, b"anything\r\n\r\n", 5).unwrap();
    assert_eq!(data, b"anything\r\n\r\n");
    assert!(!reader.is_done() && reader.eof().is_ok() && reader.is_done());
}

#[test]
fn a_close_inside_a_body_is_an_error_and_after_it_none() {
    for (framing, input) in [
        (Framing::Length(5), "hell"),
        (Framing::Chunked, ""),
        (Framing::Chunked, "5\r\nhello\r\n"),
        (Framing::Chunked, "0\r\n"),
    ] {
        let (_, _, mut reader) = read(framing, input.as_bytes(), 9).unwrap();
        assert!(reader.eof().is_err(), "{input:?}");
    }
    let (_, _, mut reader) = read(Framing::Chunked, b"0\r\n\r\n", 9).unwrap();
    assert!(reader.eof().is_ok());
}

#[test]
fn chunks_are_put_together() {
    is_body("0\r\n\r\n", "");
    is_body("5\r\nhello\r\n0\r\n\r\n", "hello");
    is_body("5\r\nhello\r\n6\r\n world\r\n000\r\n\r\n", "hello world");
    is_body("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789");
    is_body("0000000000000005\r\nhello\r\n0\r\n\r\n", "hello");
}

#[test]
fn what_follows_the_body_is_left_for_the_next_message() {
    let (data, left_over, done, _) = chunked("1\r\na\r\n0\r\n\r\nGET /").unwrap();
    assert_eq!((&*data, left_over, done), ("a", 5, true));
}

#[test]
fn extensions_are_checked_and_dropped() {
    is_body("5;a\r\nhello\r\n0\r\n\r\n", "hello");
    is_body("5;a=b;c=\"d; e\";f\r\nhello\r\n0;z\r\n\r\n", "hello");
    is_body("5;a=\"I \\\"love\\\"; \\\\x\u{fc}\"\r\nhello\r\n0\r\n\r\n", "hello");
    for bad in
        ["5;", "5;\0a", "5;a\rX", "5;bad[=x", "5;a=", "5;=b", "5;a=\"b", "5;a=\"b\"c", "5;;a"]
    {
        is_malformed(&format!("{bad}\r\nhello\r\n0\r\n\r\n"));
    }
    for bad in ["5;a=\"\n\"", "5;a=\"\x7f\"", "5;a=\"\\\0\"", "5;a b", "5;a= b c", "5; ", "5 a"] {
        is_malformed(&format!("{bad}\r\nhello\r\n0\r\n\r\n"));
    }
    is_malformed(&format!("5;a={}\r\nhello\r\n", "b".repeat(CHUNK_LINE_BYTES_MAX)));
    let many = "1;a=bcdefgh\r\nx\r\n".repeat(CHUNK_LINE_BYTES_MAX);
    is_body(&format!("{many}0\r\n\r\n"), &"x".repeat(CHUNK_LINE_BYTES_MAX));
}

#[test]
fn whitespace_around_the_marks_of_extensions_means_nothing() {
    for line in ["5 ;a", "5\t; a", "5; a = b", "5 ; a=\"b\" ;c", "5;a =b", "5;a= \"b\"\t;c"] {
        is_body(&format!("{line}\r\nhello\r\n0\r\n\r\n"), "hello");
    }
    for line in ["5;a ", "5;a=b ", "5;a=\"b\"\t", "5 ; a = b "] {
        is_malformed(&format!("{line}\r\nhello\r\n0\r\n\r\n"));
    }
}

/// An answer's body at once and byte by byte, and what was mended in it.
fn answered(input: &str) -> Option<(String, String, String)> {
    let outcome = |step: usize| {
        let (mut reader, mut data) = (Reader::of_answer(Framing::Chunked), Vec::new());
        for mut part in input.as_bytes().chunks(step) {
            while !part.is_empty() && !reader.is_done() {
                let piece = reader.next(part).ok()?;
                data.extend_from_slice(piece.data);
                part = &part[piece.consumed..];
            }
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let done = (text(&data), text(reader.trailers()), reader.repairs().to_string());
        reader.is_done().then_some(done)
    };
    let whole = outcome(input.len());
    assert_eq!(whole, outcome(1), "{input:?}");
    whole
}

#[test]
fn in_an_answer_whitespace_around_a_size_is_passed_over_and_said() {
    for line in ["5 ", "5\t ", " 5", "5;a ", "5;a=b ", "5 ;a=\"b\" "] {
        let said = "space in a chunk's size line";
        let body = format!("{line}\r\nhello\r\n0  \r\n\r\n");
        assert_eq!(answered(&body), Some(("hello".into(), "".into(), said.into())), "{line:?}");
    }
    assert_eq!(answered("5;a=b\r\nhello\r\n0\r\n\r\n").unwrap().2, "");
    for bad in ["5 5", "5 a", " ", "5\n", "5 \n", "0x5", "5;", "5; ", "5\r", "- 5", "5 \r\r"] {
        assert_eq!(answered(&format!("{bad}\r\nhello\r\n0\r\n\r\n")), None, "{bad:?}");
    }
    let padded = format!("5{}\r\nhello\r\n0\r\n\r\n", " ".repeat(CHUNK_LINE_BYTES_MAX));
    assert_eq!(answered(&padded), None);
}

#[test]
fn the_trailers_of_an_answer_are_mended_as_its_head_is() {
    let (data, trailers, said) = answered("0\r\nX-A : b\r\nX-B: c\r\n d\r\n\r\n").unwrap();
    assert_eq!((&*data, &*trailers), ("", "X-A: b\r\nX-B: c d\r\n"));
    assert_eq!(said, "a folded line, space before a colon");
    for bad in ["Content-Length : 5", "X: a\rb", "X: \0", " X: a", "X: a\nY: b"] {
        assert_eq!(answered(&format!("0\r\n{bad}\r\n\r\n")), None, "{bad:?}");
    }
}

#[test]
fn a_size_is_hexadecimal_digits_and_nothing_else() {
    for bad in ["0x5", "+5", "-1", "1_0", " 5", "5 ", "5\t", "", "g", "5.0", "\u{665}", "+0"] {
        is_malformed(&format!("{bad}\r\nhello\r\n0\r\n\r\n"));
    }
    is_malformed("FFFFFFFFFFFFFFFF0\r\nhello\r\n0\r\n\r\n");
    is_malformed("FFFFFFFFFFFFFFFF\r\nhello");
    is_malformed("8000000000000000\r\nhello");
    is_malformed("00000000000000005\r\nhello\r\n0\r\n\r\n");
    let (data, _, done, _) = chunked("7FFFFFFFFFFFFFFF\r\nhello").unwrap();
    assert_eq!((&*data, done), ("hello", false));
}

#[test]
fn lines_and_chunks_end_with_cr_lf() {
    for bad in [
        "5\nhello\r\n0\r\n\r\n",
        "5;\nhello\r\n0\r\n\r\n",
        "5;a\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "5\r\nhello!!\r\n0\r\n\r\n",
        "3\r\nfoo\r\n\r\n",
        "0\r\n\n",
        "0\r\n\rX",
        "0\r\nA: b\n\r\n",
    ] {
        is_malformed(bad);
    }
}

#[test]
fn safe_trailers_are_kept_and_steering_ones_dropped() {
    let (data, _, done, trailers) =
        chunked("1\r\na\r\n0\r\nX-Sum:  abc \r\nContent-Type: x\r\nGrpc-Status: 0\r\n\r\n")
            .unwrap();
    assert_eq!((&*data, done), ("a", true));
    assert_eq!(trailers, "X-Sum: abc\r\nGrpc-Status: 0\r\n");
}

#[test]
fn trailers_are_hidden_until_the_body_is_done() {
    let (_, _, reader) = read(Framing::Chunked, b"0\r\nX-Sum: abc\r\n", 99).unwrap();
    assert!(reader.trailers().is_empty());
}

#[test]
fn trailers_that_would_steer_a_backend_are_refused() {
    for bad in [
        "Content-Length: 50",
        "Transfer-Encoding: chunked",
        "Host: evil",
        "Authorization: x",
        "Transfer_Encoding: chunked",
        "X : y",
        ": y",
        "X: \0",
        "X: a\r\n b",
        "X: a\rb",
        "no colon",
    ] {
        is_malformed(&format!("0\r\n{bad}\r\n\r\n"));
    }
}

#[test]
fn trailers_are_few_and_short() {
    let lines = |count: usize| format!("0\r\n{}\r\n", "X: y\r\n".repeat(count));
    assert!(chunked(&lines(TRAILERS_MAX)).is_some());
    is_malformed(&lines(TRAILERS_MAX + 1));
    is_malformed(&format!("0\r\nX: {}\r\n\r\n", "y".repeat(TRAILERS_BYTES_MAX)));
}

#[test]
fn an_empty_chunk_is_never_written() {
    let mut out = Vec::new();
    write_chunk(&mut out, b"");
    assert!(out.is_empty());
    write_chunk(&mut out, &[b'x'; 26]);
    assert!(out.starts_with(b"1a\r\nxx") && out.ends_with(b"x\r\n"));
    out.clear();
    write_last_chunk(&mut out, b"X: y\r\n");
    assert_eq!(out, b"0\r\nX: y\r\n\r\n");
}

proptest! {
    #[test]
    fn any_data_in_any_chunks_and_any_pieces_comes_back(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..10),
        step in 1_usize..40,
        trailer in proptest::option::of("[a-z]{1,10}"),
    ) {
        let trailer = trailer.map(|value| format!("x-t: {value}\r\n")).unwrap_or_default();
        let mut out = Vec::new();
        for chunk in &chunks {
            write_chunk(&mut out, chunk);
        }
        write_last_chunk(&mut out, trailer.as_bytes());
        out.extend_from_slice(b"next");
        let (data, left_over, reader) = read(Framing::Chunked, &out, step).unwrap();
        prop_assert_eq!(data, chunks.concat());
        prop_assert!(reader.is_done());
        prop_assert_eq!(left_over, 4);
        prop_assert_eq!(reader.trailers(), trailer.as_bytes());
    }

    #[test]
    fn no_bytes_whatever_make_it_panic_and_pieces_never_change_the_outcome(
        input in proptest::collection::vec(prop_oneof![
            proptest::sample::select(b"0123456789abcdefg\r\n;=\"\\ :".to_vec()),
            any::<u8>(),
        ], 0..60),
        step in 1_usize..20,
    ) {
        let outcome = |step| read(Framing::Chunked, &input, step)
            .map(|(data, left_over, reader)| (data, left_over, reader.is_done()));
        prop_assert_eq!(outcome(usize::MAX), outcome(step));
    }
}
