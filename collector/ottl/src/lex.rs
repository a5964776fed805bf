//! From text to tokens.

use crate::error::CompileError;

/// The longest text that is read, in bytes.
pub const MAX_LENGTH: usize = 64 << 10;

/// A token. A sign is a token of its own, so `a -1` is a subtraction.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    Name(String),
    /// Digits.
    Int(String),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Sign(&'static str),
    End,
}

/// A token and where it begins, in characters from 1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    pub(crate) column: usize,
}

/// Longer ones first.
const SIGNS: [&str; 20] = [
    "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "(", ")", "[", "]", "{", "}", ",", ".", ":", "=",
];

pub(crate) fn tokens(text: &str) -> Result<Vec<Placed>, CompileError> {
    if text.len() > MAX_LENGTH {
        let message = format!("the text has {} bytes; the limit is {MAX_LENGTH}", text.len());
        return Err(CompileError { column: 1, message });
    }
    let mut lexer = Lexer { rest: text, column: 1 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_space();
        let column = lexer.column;
        let token = lexer.next().map_err(|message| CompileError { column, message })?;
        let end = token == Token::End;
        tokens.push(Placed { token, column });
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    column: usize,
}

impl<'a> Lexer<'a> {
    fn skip_space(&mut self) {
        self.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}' | '\u{b}'));
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        self.column += taken.chars().count();
        taken
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    fn next(&mut self) -> Result<Token, String> {
        let mut chars = self.rest.chars();
        let Some(first) = chars.next() else {
            return Ok(Token::End);
        };
        let second_is_digit = chars.next().is_some_and(|c| c.is_ascii_digit());
        match first {
            '"' => self.text(),
            '0'..='9' => self.number(),
            '.' if second_is_digit => self.number(),
            'a'..='z' | 'A'..='Z' => Ok(Token::Name(
                self.take_while(|c| c.is_ascii_alphanumeric() || c == '_').to_owned(),
            )),
            _ => self.sign(first),
        }
    }

    fn sign(&mut self, first: char) -> Result<Token, String> {
        let sign = SIGNS.into_iter().find(|sign| self.rest.starts_with(sign));
        let sign = sign.ok_or_else(|| format!("`{first}` has no meaning here"))?;
        self.take(sign.len());
        Ok(Token::Sign(sign))
    }

    fn number(&mut self) -> Result<Token, String> {
        if let Some(hex) = self.rest.strip_prefix("0x") {
            let length = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
            return bytes(&self.take(2 + length)[2..]);
        }
        let length = float_length(self.rest);
        if length == 0 {
            return Ok(Token::Int(self.take_while(|c| c.is_ascii_digit()).to_owned()));
        }
        let number = self.take(length);
        let value = number.parse::<f64>().ok().filter(|value| value.is_finite());
        value
            .map(Token::Float)
            .ok_or_else(|| format!("{number} is beyond what a float can hold"))
    }

    fn text(&mut self) -> Result<Token, String> {
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let (end, _) = end.ok_or("this text has no closing quote")?;
        let quoted = self.take(end + 1);
        unescape(&quoted[1..end]).map(Token::Text)
    }
}

/// How many bytes of `text` are a number with a point, and an exponent if there is one. 0 if there is no point.
fn float_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = digits(0);
    if bytes.get(whole) != Some(&b'.') {
        return 0;
    }
    let fraction = digits(whole + 1);
    if fraction == 0 {
        return 0;
    }
    let end = whole + 1 + fraction;
    if !matches!(bytes.get(end), Some(b'e' | b'E')) {
        return end;
    }
    let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
    let exponent = digits((end + 1 + sign).min(bytes.len()));
    if exponent == 0 { end } else { end + 1 + sign + exponent }
}

fn bytes(hex: &str) -> Result<Token, String> {
    decode_hex(hex)
        .filter(|bytes| !bytes.is_empty())
        .map(Token::Bytes)
        .ok_or_else(|| format!("0x{hex} needs an even number of hexadecimal digits, and at least two"))
}

/// The bytes of hexadecimal digits in either case.
pub(crate) fn decode_hex(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let pairs = hex.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect()
}

/// The escapes of a Go string, since upstream reads texts with Go's rules.
fn unescape(quoted: &str) -> Result<String, String> {
    let mut out = Vec::with_capacity(quoted.len());
    let mut rest = quoted;
    while let Some(at) = rest.find(['\\', '\n']) {
        if rest[at..].starts_with('\n') {
            return Err("a text may not span lines; write \\n".to_owned());
        }
        out.extend_from_slice(&rest.as_bytes()[..at]);
        rest = unescape_one(&rest[at + 1..], &mut out)?;
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8(out).map_err(|_| "the escapes of this text do not give UTF-8".to_owned())
}

/// Reads what follows a backslash, and gives what follows that.
fn unescape_one<'a>(rest: &'a str, out: &mut Vec<u8>) -> Result<&'a str, String> {
    let escape = rest.chars().next().ok_or("a text may not end in a backslash")?;
    let (length, radix) = match escape {
        'x' => (2, 16),
        'u' => (4, 16),
        'U' => (8, 16),
        '0'..='7' => (3, 8),
        _ => {
            out.push(simple_escape(escape)?);
            return Ok(&rest[1..]);
        }
    };
    let start = usize::from(radix == 16);
    let digits = rest.get(start..start + length).unwrap_or("");
    let value = u32::from_str_radix(digits, radix).ok();
    let unknown = || format!("\\{escape} needs {length} digits of a character that exists");
    let value = value.filter(|_| !digits.starts_with('+')).ok_or_else(unknown)?;
    if matches!(escape, 'u' | 'U') {
        let character = char::from_u32(value).ok_or_else(unknown)?;
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        out.push(u8::try_from(value).map_err(|_| unknown())?);
    }
    Ok(&rest[start + length..])
}

fn simple_escape(escape: char) -> Result<u8, String> {
    Ok(match escape {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        '"' => b'"',
        other => return Err(format!("\\{other} is no escape; a backslash itself is written \\\\")),
    })
}
