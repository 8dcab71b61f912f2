//! The body of a message, as it streams by: where it ends, and its chunks (RFC 9112 section 7).
//!
//! Both sides of the proxy read bodies with a [`Reader`] and write chunks with the two functions.
//! Chunks are never copied through: what goes on is data, cut and counted again. It must never
//! take a size that another reader could read as another number.

use super::fields::{self, Trailer};
use super::framing::LENGTH_MAX;
use super::{Broken, Framing, Malformed, Repairs, render, repairs};
use crate::text::hex;

/// A chunk's size line, extensions included. They mean something to nobody and are dropped; the
/// longest in the wild, the signatures of S3 uploads, take a hundred bytes.
const CHUNK_LINE_BYTES_MAX: usize = 1024;

/// The trailer section, and the fields in it.
const TRAILERS_BYTES_MAX: usize = 8 * 1024;
const TRAILERS_MAX: usize = 32;

/// Cuts a body out of a stream of bytes. It allocates only to keep trailers.
#[derive(Debug)]
pub struct Reader {
    state: State,
    /// Bytes still to come of the body or the chunk; the size so far while its digits come.
    left: u64,
    /// Bytes of the current size line so far.
    line_bytes: usize,
    /// Digits in it.
    digits: usize,
    /// An answer's: what has one meaning is mended.
    lenient: bool,
    repairs: Repairs,
    /// The trailer section: as it comes, and once it is whole the safe fields, rendered.
    trailers: Vec<u8>,
}

/// What the next byte is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Done,
    /// A body of known length.
    Length,
    /// Everything until the sender closes.
    UntilClose,
    /// The first digit of a chunk's size.
    Size,
    /// More digits, extensions, or the end of the line.
    MoreSize,
    /// The size is over; an extension is to come, or in an answer the end of the line.
    SizeEnd,
    Extension(Extension),
    SizeLf,
    /// A chunk's data.
    Data,
    DataCr,
    DataLf,
    /// The first byte after the last chunk: a trailer, or the end.
    LastLine,
    Trailers,
    LastLf,
}

/// Where in `;name=value` or `;name="value"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extension {
    NameStart,
    Name,
    NameEnd,
    ValueStart,
    Value,
    Quoted,
    Escaped,
    QuotedEnd,
    ValueEnd,
}

/// What one call of [`Reader::next`] took.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Bytes of the input that are used up, framing included.
    pub consumed: usize,
    /// Data of the body, if there was any.
    pub data: &'a [u8],
}

impl Reader {
    /// A reader for the body of an answer: what breaks the rules of chunks and has one meaning all
    /// the same is mended, as in its head.
    #[must_use]
    pub fn of_answer(framing: Framing) -> Self {
        Reader { lenient: true, ..Reader::new(framing) }
    }

    /// A reader for a body framed like this.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        let (state, left) = match framing {
            Framing::None | Framing::Length(0) => (State::Done, 0),
            Framing::Length(length) => (State::Length, length),
            Framing::Chunked => (State::Size, 0),
            Framing::UntilClose => (State::UntilClose, 0),
        };
        Reader {
            state,
            left,
            line_bytes: 0,
            digits: 0,
            lenient: false,
            repairs: Repairs::default(),
            trailers: Vec::new(),
        }
    }

    /// Takes framing and at most one run of data off the front of `input`. Call it until all is
    /// consumed or the body is done; what is left over then belongs to the next message.
    ///
    /// # Errors
    /// The bytes are no chunked body, or more of line or trailers than is read.
    pub fn next<'a>(&mut self, input: &'a [u8]) -> Result<Piece<'a>, Malformed> {
        let mut consumed = 0;
        while consumed < input.len() {
            match self.state {
                State::Done => break,
                State::Length | State::Data | State::UntilClose => {
                    let data = self.take(&input[consumed..]);
                    return Ok(Piece { consumed: consumed + data.len(), data });
                }
                _ => self.state = self.step(input[consumed])?,
            }
            consumed += 1;
        }
        Ok(Piece { consumed, data: &[] })
    }

    /// Whether the body has ended.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// What was mended so far.
    #[must_use]
    pub fn repairs(&self) -> Repairs {
        self.repairs
    }

    /// The sender has closed.
    ///
    /// # Errors
    /// The body was not at its end: what was read of it is a fragment.
    pub fn eof(&mut self) -> Result<(), Malformed> {
        if !matches!(self.state, State::Done | State::UntilClose) {
            return Err("the connection closed inside a body".into());
        }
        self.state = State::Done;
        Ok(())
    }

    /// The trailer fields that may be passed on, as lines for [`write_last_chunk`]; empty until
    /// the body is done.
    #[must_use]
    pub fn trailers(&self) -> &[u8] {
        if self.is_done() { &self.trailers } else { &[] }
    }

    fn take<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        if self.state == State::UntilClose {
            return input;
        }
        let length = usize::try_from(self.left).map_or(input.len(), |left| left.min(input.len()));
        self.left -= length as u64;
        if self.left == 0 {
            self.state = if self.state == State::Data { State::DataCr } else { State::Done };
        }
        &input[..length]
    }

    fn step(&mut self, byte: u8) -> Result<State, Broken> {
        match (self.state, byte) {
            (State::Size | State::MoreSize | State::SizeEnd | State::Extension(_), _) => {
                self.step_size_line(byte)
            }
            (State::SizeLf, b'\n') if self.left == 0 => Ok(State::LastLine),
            (State::SizeLf, b'\n') => Ok(State::Data),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => {
                self.line_bytes = 0;
                Ok(State::Size)
            }
            (State::LastLine, b'\r') => Ok(State::LastLf),
            (State::LastLf, b'\n') => Ok(State::Done),
            (State::LastLine | State::Trailers, _) => self.step_trailers(byte),
            (State::SizeLf, _) => Err("a chunk's size line does not end with CR LF"),
            _ => Err("a chunk or the body does not end with CR LF where it should"),
        }
    }

    /// Whitespace may stand around the marks of extensions, and be of no meaning (RFC 9112 7.1.1).
    /// Elsewhere it may not: where one reader skips it another sees the size end. Some servers pad
    /// the sizes of their answers with it.
    fn step_size_line(&mut self, byte: u8) -> Result<State, Broken> {
        self.line_bytes += 1;
        if self.line_bytes > CHUNK_LINE_BYTES_MAX {
            return Err("a chunk's extensions are longer than allowed");
        }
        let space = is_space(byte);
        match (self.state, byte) {
            (State::Size, _) if space && self.lenient => {
                self.repairs |= Repairs::CHUNKS;
                Ok(State::Size)
            }
            (State::MoreSize, b'\r') => Ok(State::SizeLf),
            (State::MoreSize | State::SizeEnd, _) if space => Ok(State::SizeEnd),
            (State::MoreSize | State::SizeEnd, b';') => Ok(State::Extension(Extension::NameStart)),
            (State::SizeEnd | END_OF_NAME | END_OF_VALUE, b'\r') if self.lenient => {
                self.repairs |= Repairs::CHUNKS;
                Ok(State::SizeLf)
            }
            (State::SizeEnd, _) => Err("space behind a chunk's size"),
            (State::Extension(extension), _) => step_extension(extension, byte),
            _ => self.add_digit(byte),
        }
    }

    fn add_digit(&mut self, byte: u8) -> Result<State, Broken> {
        let digit = char::from(byte).to_digit(16).ok_or("a chunk's size is not hexadecimal")?;
        let size = if self.state == State::Size { 0 } else { self.left };
        self.digits = if self.state == State::Size { 1 } else { self.digits + 1 };
        self.left = size << 4 | u64::from(digit);
        // 16 digits fit a u64, zeros in front counted: a size that needs more is an attack, and so
        // is one that is negative to a reader with a signed number.
        if self.digits > 16 || self.left > LENGTH_MAX {
            return Err("a chunk's size is too large");
        }
        Ok(State::MoreSize)
    }

    /// Gathers the section, watching only for its end; then reads it as a whole.
    fn step_trailers(&mut self, byte: u8) -> Result<State, Broken> {
        if byte == b'\n' && self.trailers.last() != Some(&b'\r') {
            return Err("a trailer line ends with LF alone");
        }
        if self.trailers.len() == TRAILERS_BYTES_MAX {
            return Err("the trailers are longer than allowed");
        }
        self.trailers.push(byte);
        if !self.trailers.ends_with(b"\r\n\r\n") {
            return Ok(State::Trailers);
        }
        self.trailers = self.render_trailers()?;
        Ok(State::Done)
    }

    fn render_trailers(&mut self) -> Result<Vec<u8>, Broken> {
        const BAD: Broken = "the trailers are malformed";
        let bytes = [AS_AN_ANSWER, &self.trailers].concat();
        let mut slots = [httparse::EMPTY_HEADER; TRAILERS_MAX];
        let mut raw = httparse::Response::new(&mut slots);
        let parsed = repairs::parser(self.lenient).parse_response(&mut raw, &bytes);
        if parsed != Ok(httparse::Status::Complete(bytes.len())) {
            return Err(BAD);
        }
        let mut rendered = Vec::new();
        for field in raw.headers {
            match fields::trailer(field.name.as_bytes()) {
                Trailer::Relayed => render::unfolded(&mut rendered, field.name, field.value),
                Trailer::Dropped => {}
                Trailer::Refused => return Err("a trailer that belongs in the head"),
            }
        }
        self.repairs |= repairs::marks(&bytes);
        Ok(rendered)
    }
}

/// httparse mends the heads of answers only, so trailers are read as one.
const AS_AN_ANSWER: &[u8] = b"HTTP/1.1 200\r\n";

/// Whitespace behind an extension: before the end of the line none belongs.
const END_OF_NAME: State = State::Extension(Extension::NameEnd);
const END_OF_VALUE: State = State::Extension(Extension::ValueEnd);

/// `chunk-ext` of RFC 9112 7.1.1.
fn step_extension(extension: Extension, byte: u8) -> Result<State, Broken> {
    use Extension::{
        Escaped, Name, NameEnd, NameStart, Quoted, QuotedEnd, Value, ValueEnd, ValueStart,
    };
    let text = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    Ok(State::Extension(match (extension, byte) {
        (Name | Value | QuotedEnd, b'\r') => return Ok(State::SizeLf),
        (Name | NameEnd | Value | QuotedEnd | ValueEnd, b';') => NameStart,
        (Name | NameEnd, b'=') => ValueStart,
        (ValueStart, b'"') => Quoted,
        (Quoted, b'"') => QuotedEnd,
        (Quoted, b'\\') => Escaped,
        (Quoted | Escaped, _) if text => Quoted,
        (NameStart | ValueStart, _) if is_space(byte) => extension,
        (Name | NameEnd, _) if is_space(byte) => NameEnd,
        (Value | QuotedEnd | ValueEnd, _) if is_space(byte) => ValueEnd,
        (NameStart | Name, _) if fields::is_token_byte(byte) => Name,
        (ValueStart | Value, _) if fields::is_token_byte(byte) => Value,
        _ => return Err("a chunk's extensions are malformed"),
    }))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Appends `data` as one chunk; nothing if there is none, as an empty chunk would end the body.
pub fn write_chunk(out: &mut Vec<u8>, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    hex(out, data.len() as u64);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// Appends the end of a chunked body, with the lines that [`Reader::trailers`] gave.
pub fn write_last_chunk(out: &mut Vec<u8>, trailers: &[u8]) {
    out.extend_from_slice(b"0\r\n");
    out.extend_from_slice(trailers);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
