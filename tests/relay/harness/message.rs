//! A strict reader of HTTP/1.1 heads (RFC 9112), written apart from the crate's own and slower: a
//! mistake there must not be repeated here.

/// A request or an answer.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The first line.
    pub start: String,
    /// The field lines, in order, names as they came.
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    Bytes(u64),
    Chunked,
    UntilClose,
}

impl Message {
    /// Reads a head, its blank line included.
    pub fn parse(head: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(head).map_err(|_| "the head is not text".to_owned())?;
        let text =
            text.strip_suffix("\r\n\r\n").ok_or("the head does not end with a blank line")?;
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let fields = fields(lines)?;
        if start.contains(['\r', '\n']) {
            return Err(format!("a bare CR or LF in {start:?}"));
        }
        Ok(Self { start, fields, ..Self::default() })
    }

    pub fn status(&self) -> u16 {
        let mut words = self.start.splitn(3, ' ');
        let version = words.next().unwrap_or_default();
        let status = words.next().and_then(|word| word.parse().ok());
        assert!(version == "HTTP/1.1" && words.next().is_some(), "status line {:?}", self.start);
        status.unwrap_or_else(|| panic!("status line {:?}", self.start))
    }

    pub fn method(&self) -> &str {
        self.word(0)
    }

    pub fn target(&self) -> &str {
        self.word(1)
    }

    fn word(&self, index: usize) -> &str {
        self.start.split(' ').nth(index).unwrap_or_default()
    }

    /// The one value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        let values = self.all(name);
        assert!(values.len() < 2, "{name} stands more than once in {self:?}");
        values.first().copied()
    }

    /// Each value of a field, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(is, _)| is.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// How the body of this request ends.
    pub fn request_length(&self) -> Result<Length, String> {
        Ok(self.declared()?.unwrap_or(Length::Bytes(0)))
    }

    /// How the body of this answer to `method` ends.
    pub fn answer_length(&self, method: &str) -> Result<Length, String> {
        let status = self.status();
        let declared = self.declared()?;
        if method == "HEAD" || status < 200 || status == 204 || status == 304 {
            return Ok(Length::Bytes(0));
        }
        Ok(declared.unwrap_or(Length::UntilClose))
    }

    fn declared(&self) -> Result<Option<Length>, String> {
        let (lengths, codings) = (self.all("content-length"), self.all("transfer-encoding"));
        match (lengths[..].as_ref(), codings[..].as_ref()) {
            ([], []) => Ok(None),
            ([], ["chunked"]) => Ok(Some(Length::Chunked)),
            ([length], []) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
                length.parse().map(|bytes| Some(Length::Bytes(bytes))).map_err(|e| e.to_string())
            }
            _ => Err(format!("the length is not clear: {self:?}")),
        }
    }
}

/// Reads field lines: of a head, or trailers.
pub fn fields<'t>(lines: impl Iterator<Item = &'t str>) -> Result<Vec<(String, String)>, String> {
    let field = |line: &'t str| {
        let (name, value) = line.split_once(':').ok_or(format!("no colon in {line:?}"))?;
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) || value.contains(['\r', '\n', '\0']) {
            return Err(format!("a malformed line {line:?}"));
        }
        Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
    };
    lines.map(field).collect()
}
