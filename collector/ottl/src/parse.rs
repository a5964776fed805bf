//! From tokens to a tree, by recursive descent of bounded depth, in time linear in the text.
//!
//! Conditions and values share one grammar here, because a parenthesis may open either; which of the two an expression
//! is, is checked when it is compiled.

use crate::ast::{Argument, Call, CompareOp, Expr, Key, Kind, MathOp, Segment, Statement};
use crate::error::CompileError;
use crate::lex::{Placed, Token, tokens};

/// The deepest nesting of parentheses, lists, maps and calls.
pub const MAX_DEPTH: usize = 64;

/// Reads a condition, without `where`.
pub fn parse_condition(text: &str) -> Result<Expr, CompileError> {
    let mut parser = Parser::new(text)?;
    let condition = parser.expression()?;
    parser.end()?;
    Ok(condition)
}

/// Reads a statement.
pub fn parse_statement(text: &str) -> Result<Statement, CompileError> {
    let mut parser = Parser::new(text)?;
    let editor = parser.editor()?;
    let condition = match parser.take_name("where") {
        true => Some(parser.expression()?),
        false => None,
    };
    parser.end()?;
    Ok(Statement { editor, condition })
}

struct Parser {
    tokens: Vec<Placed>,
    next: usize,
    depth: usize,
}

type Parsed<T> = Result<T, CompileError>;

impl Parser {
    fn new(text: &str) -> Parsed<Self> {
        Ok(Parser {
            tokens: tokens(text)?,
            next: 0,
            depth: 0,
        })
    }

    fn token(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |placed| &placed.token)
    }

    fn following(&self) -> &Token {
        let following = self.tokens.get(self.next + 1);
        following.map_or(&Token::End, |placed| &placed.token)
    }

    fn column(&self) -> usize {
        let placed = self.tokens.get(self.next).or(self.tokens.last());
        placed.map_or(1, |placed| placed.column)
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let taken = matches!(self.token(), Token::Sign(found) if *found == sign);
        self.next += usize::from(taken);
        taken
    }

    fn take_name(&mut self, name: &str) -> bool {
        let taken = matches!(self.token(), Token::Name(found) if found == name);
        self.next += usize::from(taken);
        taken
    }

    fn expect_sign(&mut self, sign: &str) -> Parsed<()> {
        if self.take_sign(sign) {
            return Ok(());
        }
        self.unexpected(&format!("`{sign}`"))
    }

    fn unexpected<T>(&self, wanted: &str) -> Parsed<T> {
        let found = match self.token() {
            Token::Name(name) => format!("`{name}`"),
            Token::Int(digits) => digits.clone(),
            Token::Float(value) => value.to_string(),
            Token::Text(_) => "a text".to_owned(),
            Token::Bytes(_) => "bytes".to_owned(),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::End => "the end".to_owned(),
        };
        self.error(format!("{wanted} is expected here, not {found}"))
    }

    fn error<T>(&self, message: String) -> Parsed<T> {
        let column = self.column();
        Err(CompileError { column, message })
    }

    fn end(&self) -> Parsed<()> {
        match self.token() {
            Token::End => Ok(()),
            _ => self.unexpected("an operator or the end"),
        }
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == MAX_DEPTH {
            return self.error(format!("this is nested deeper than {MAX_DEPTH} levels"));
        }
        self.depth += 1;
        let parsed = read(self);
        self.depth -= 1;
        parsed
    }

    fn editor(&mut self) -> Parsed<Call> {
        let column = self.column();
        let Token::Name(name) = self.token().clone() else {
            return self.unexpected("the name of an editor");
        };
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            return self.error(format!(
                "`{name}` is a converter; a statement begins with an editor, such as `set`"
            ));
        }
        self.next += 1;
        let arguments = self.arguments()?;
        if matches!(self.token(), Token::Sign("[")) {
            return self.error("an editor gives nothing that could have keys".to_owned());
        }
        Ok(Call {
            column,
            name,
            arguments,
        })
    }

    fn arguments(&mut self) -> Parsed<Vec<Argument>> {
        self.expect_sign("(")?;
        self.nested(|parser| parser.sequence(")", Parser::argument))
    }

    /// What stands between brackets, up to and with the closing one.
    fn sequence<T>(&mut self, close: &str, item: impl Fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = Vec::new();
        if self.take_sign(close) {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.take_sign(close) {
                return Ok(items);
            }
            if !self.take_sign(",") {
                return self.unexpected(&format!("`,` or `{close}`"));
            }
        }
    }

    fn argument(&mut self) -> Parsed<Argument> {
        let name = match (self.token(), self.following()) {
            (Token::Name(name), Token::Sign("=")) => Some(name.clone()),
            _ => None,
        };
        self.next += if name.is_some() { 2 } else { 0 };
        let value = self.expression()?;
        Ok(Argument { name, value })
    }

    fn expression(&mut self) -> Parsed<Expr> {
        self.joined("or", Kind::Or, |parser| {
            parser.joined("and", Kind::And, Parser::negation)
        })
    }

    fn joined(
        &mut self,
        word: &str,
        join: fn(Vec<Expr>) -> Kind,
        operand: impl Fn(&mut Self) -> Parsed<Expr>,
    ) -> Parsed<Expr> {
        let column = self.column();
        let first = operand(self)?;
        if !matches!(self.token(), Token::Name(name) if name == word) {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.take_name(word) {
            operands.push(operand(self)?);
        }
        Ok(Expr {
            column,
            kind: join(operands),
        })
    }

    fn negation(&mut self) -> Parsed<Expr> {
        let column = self.column();
        if !self.take_name("not") {
            return self.comparison();
        }
        let kind = Kind::Not(Box::new(self.comparison()?));
        Ok(Expr { column, kind })
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let column = self.column();
        let left = self.sum()?;
        let Token::Sign(sign) = *self.token() else {
            return Ok(left);
        };
        if sign == "=" {
            return self.error("`=` names an argument; `==` compares".to_owned());
        }
        let Some((_, op)) = CompareOp::ALL.iter().find(|(text, _)| *text == sign) else {
            return Ok(left);
        };
        self.next += 1;
        let right = self.sum()?;
        let kind = Kind::Compare(Box::new(left), *op, Box::new(right));
        Ok(Expr { column, kind })
    }

    fn sum(&mut self) -> Parsed<Expr> {
        let operators = [("+", MathOp::Add), ("-", MathOp::Subtract)];
        self.chain(operators, |parser| {
            let operators = [("*", MathOp::Multiply), ("/", MathOp::Divide)];
            parser.chain(operators, Parser::signed)
        })
    }

    fn chain(&mut self, operators: [(&str, MathOp); 2], operand: impl Fn(&mut Self) -> Parsed<Expr>) -> Parsed<Expr> {
        let column = self.column();
        let first = operand(self)?;
        let mut rest = Vec::new();
        while let Some((_, op)) = operators.iter().find(|(sign, _)| self.take_sign(sign)) {
            rest.push((*op, operand(self)?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let kind = Kind::Math(Box::new(first), rest);
        Ok(Expr { column, kind })
    }

    fn signed(&mut self) -> Parsed<Expr> {
        let column = self.column();
        if self.take_sign("+") {
            return self.primary();
        }
        if !self.take_sign("-") {
            return self.primary();
        }
        let kind = match self.token().clone() {
            Token::Int(digits) => self.int(&format!("-{digits}"))?,
            Token::Float(value) => {
                self.next += 1;
                Kind::Float(-value)
            }
            _ => Kind::Negate(Box::new(self.primary()?)),
        };
        Ok(Expr { column, kind })
    }

    fn int(&mut self, digits: &str) -> Parsed<Kind> {
        let Ok(value) = digits.parse() else {
            return self.error(format!("{digits} is beyond 64 bits"));
        };
        self.next += 1;
        Ok(Kind::Int(value))
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let column = self.column();
        let kind = match self.token().clone() {
            Token::Name(name) => self.named(name)?,
            Token::Int(digits) => self.int(&digits)?,
            Token::Float(value) => self.literal(Kind::Float(value)),
            Token::Text(text) => self.literal(Kind::Text(text)),
            Token::Bytes(bytes) => self.literal(Kind::Bytes(bytes)),
            Token::Sign("(") => {
                self.next += 1;
                let inner = self.nested(Parser::expression)?;
                self.expect_sign(")")?;
                return Ok(inner);
            }
            Token::Sign("[") => {
                self.next += 1;
                Kind::List(self.nested(|parser| parser.sequence("]", Parser::expression))?)
            }
            Token::Sign("{") => {
                self.next += 1;
                Kind::Map(self.nested(|parser| parser.sequence("}", Parser::entry))?)
            }
            _ => return self.unexpected("a value"),
        };
        Ok(Expr { column, kind })
    }

    fn literal(&mut self, kind: Kind) -> Kind {
        self.next += 1;
        kind
    }

    fn entry(&mut self) -> Parsed<(String, Expr)> {
        let Token::Text(key) = self.token().clone() else {
            return self.unexpected("a key in quotes");
        };
        self.next += 1;
        self.expect_sign(":")?;
        Ok((key, self.expression()?))
    }

    fn named(&mut self, name: String) -> Parsed<Kind> {
        match name.as_str() {
            "nil" => return Ok(self.literal(Kind::Nil)),
            "true" => return Ok(self.literal(Kind::Bool(true))),
            "false" => return Ok(self.literal(Kind::Bool(false))),
            "and" | "or" | "not" | "where" => return self.unexpected("a value"),
            _ => {}
        }
        let upper = name.starts_with(|c: char| c.is_ascii_uppercase());
        match (upper, self.following()) {
            (true, Token::Sign("(")) => {
                let column = self.column();
                self.next += 1;
                let arguments = self.arguments()?;
                let call = Call {
                    column,
                    name,
                    arguments,
                };
                Ok(Kind::Call(call, self.keys()?))
            }
            (true, _) => Ok(self.literal(Kind::Symbol(name))),
            (false, Token::Sign("(")) => self.error(format!(
                "`{name}` is written as an editor; within an expression there are only converters, which begin with a \
                 capital"
            )),
            (false, _) => self.path(),
        }
    }

    fn path(&mut self) -> Parsed<Kind> {
        let mut segments = Vec::new();
        loop {
            let Token::Name(name) = self.token().clone() else {
                return self.unexpected("a part of a path");
            };
            self.next += 1;
            let keys = self.keys()?;
            segments.push(Segment { name, keys });
            if !self.take_sign(".") {
                return Ok(Kind::Path(segments));
            }
        }
    }

    fn keys(&mut self) -> Parsed<Vec<Key>> {
        let mut keys = Vec::new();
        while self.take_sign("[") {
            let key = match self.token() {
                Token::Text(text) => Key::Text(text.clone()),
                Token::Int(digits) => match digits.parse() {
                    Ok(index) => Key::Index(index),
                    Err(_) => return self.error(format!("{digits} is too large for an index")),
                },
                _ => return self.unexpected("a key, which is a text in quotes or a whole number,"),
            };
            self.next += 1;
            self.expect_sign("]")?;
            keys.push(key);
        }
        Ok(keys)
    }
}
