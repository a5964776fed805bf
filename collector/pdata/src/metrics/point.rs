use crate::proto::{Field, FieldValue, Fields, Malformed, fields, unzigzag};
use crate::scan::messages;
use crate::view::{Attributes, id};

/// A measured value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A double.
    Double(f64),
    /// An integer.
    Int(i64),
}

/// A value of a gauge or a sum.
#[derive(Debug, Clone, Copy, Default)]
pub struct NumberDataPoint<'a> {
    /// Nanoseconds since the Unix epoch; 0 if it is not known.
    pub start_time_unix_nano: u64,
    /// Nanoseconds since the Unix epoch.
    pub time_unix_nano: u64,
    /// `None` if none was recorded.
    pub value: Option<Number>,
    /// `DataPointFlags`: 1 for no recorded value.
    pub flags: u32,
    raw: &'a [u8],
}

/// A distribution over buckets with explicit bounds.
#[derive(Debug, Clone, Copy, Default)]
pub struct HistogramDataPoint<'a> {
    /// Nanoseconds since the Unix epoch; 0 if it is not known.
    pub start_time_unix_nano: u64,
    /// Nanoseconds since the Unix epoch.
    pub time_unix_nano: u64,
    /// How many values there were.
    pub count: u64,
    /// Their sum.
    pub sum: Option<f64>,
    /// The smallest.
    pub min: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
    /// `DataPointFlags`: 1 for no recorded value.
    pub flags: u32,
    raw: &'a [u8],
}

/// A distribution over buckets whose bounds are powers of one base, 2^(2^-scale).
#[derive(Debug, Clone, Copy, Default)]
pub struct ExponentialHistogramDataPoint<'a> {
    /// Nanoseconds since the Unix epoch; 0 if it is not known.
    pub start_time_unix_nano: u64,
    /// Nanoseconds since the Unix epoch.
    pub time_unix_nano: u64,
    /// How many values there were.
    pub count: u64,
    /// Their sum.
    pub sum: Option<f64>,
    /// How fine the buckets are.
    pub scale: i32,
    /// Values no further from 0 than `zero_threshold`.
    pub zero_count: u64,
    /// See `zero_count`.
    pub zero_threshold: f64,
    /// Buckets of values above 0.
    pub positive: Option<Buckets<'a>>,
    /// Buckets of values below 0.
    pub negative: Option<Buckets<'a>>,
    /// The smallest.
    pub min: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
    /// `DataPointFlags`: 1 for no recorded value.
    pub flags: u32,
    raw: &'a [u8],
}

/// Neighbouring buckets of an exponential histogram.
#[derive(Debug, Clone, Copy, Default)]
pub struct Buckets<'a> {
    /// The index of the first.
    pub offset: i32,
    raw: &'a [u8],
}

/// Quantiles that were computed at the source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SummaryDataPoint<'a> {
    /// Nanoseconds since the Unix epoch; 0 if it is not known.
    pub start_time_unix_nano: u64,
    /// Nanoseconds since the Unix epoch.
    pub time_unix_nano: u64,
    /// How many values there were.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// `DataPointFlags`: 1 for no recorded value.
    pub flags: u32,
    raw: &'a [u8],
}

/// One quantile of a summary.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ValueAtQuantile {
    /// From 0 to 1.
    pub quantile: f64,
    /// The value.
    pub value: f64,
}

/// A value that stands for others, with the span that it was measured in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Exemplar<'a> {
    /// Nanoseconds since the Unix epoch.
    pub time_unix_nano: u64,
    /// The value.
    pub value: Option<Number>,
    /// All zero if it was empty.
    pub span_id: [u8; 8],
    /// All zero if it was empty.
    pub trace_id: [u8; 16],
    raw: &'a [u8],
}

impl<'a> NumberDataPoint<'a> {
    /// Reads an encoded `NumberDataPoint`.
    pub fn read(raw: &'a [u8]) -> Result<Self, Malformed> {
        let mut point = NumberDataPoint { raw, ..Self::default() };
        for field in fields(raw) {
            let field = field?;
            match field.number {
                2 => point.start_time_unix_nano = field.fixed64()?,
                3 => point.time_unix_nano = field.fixed64()?,
                4 => point.value = Some(Number::Double(double(&field)?)),
                6 => point.value = Some(Number::Int(field.fixed64()? as i64)),
                8 => point.flags = field.varint()? as u32,
                _ => {}
            }
        }
        Ok(point)
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.raw, 7)
    }

    /// Its exemplars.
    pub fn exemplars(&self) -> impl Iterator<Item = Result<Exemplar<'a>, Malformed>> + use<'a> {
        messages(self.raw, 5).map(|message| message.and_then(Exemplar::read))
    }
}

impl<'a> HistogramDataPoint<'a> {
    /// Reads an encoded `HistogramDataPoint`.
    pub fn read(raw: &'a [u8]) -> Result<Self, Malformed> {
        let mut point = HistogramDataPoint { raw, ..Self::default() };
        for field in fields(raw) {
            let field = field?;
            match field.number {
                2 => point.start_time_unix_nano = field.fixed64()?,
                3 => point.time_unix_nano = field.fixed64()?,
                4 => point.count = field.fixed64()?,
                5 => point.sum = Some(double(&field)?),
                10 => point.flags = field.varint()? as u32,
                11 => point.min = Some(double(&field)?),
                12 => point.max = Some(double(&field)?),
                _ => {}
            }
        }
        Ok(point)
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.raw, 9)
    }

    /// Its exemplars.
    pub fn exemplars(&self) -> impl Iterator<Item = Result<Exemplar<'a>, Malformed>> + use<'a> {
        messages(self.raw, 8).map(|message| message.and_then(Exemplar::read))
    }

    /// How many values each bucket has; one more than there are bounds, or none at all.
    pub fn bucket_counts(&self) -> impl Iterator<Item = Result<u64, Malformed>> + use<'a> {
        Packed::new(self.raw, 6, Fields::fixed64)
    }

    /// The upper bounds of all buckets but the last.
    pub fn explicit_bounds(&self) -> impl Iterator<Item = Result<f64, Malformed>> + use<'a> {
        Packed::new(self.raw, 7, Fields::fixed64).map(|bits| bits.map(f64::from_bits))
    }
}

impl<'a> ExponentialHistogramDataPoint<'a> {
    /// Reads an encoded `ExponentialHistogramDataPoint`.
    pub fn read(raw: &'a [u8]) -> Result<Self, Malformed> {
        let mut point = ExponentialHistogramDataPoint { raw, ..Self::default() };
        for field in fields(raw) {
            point.set(&field?)?;
        }
        Ok(point)
    }

    fn set(&mut self, field: &Field<'a>) -> Result<(), Malformed> {
        match field.number {
            2 => self.start_time_unix_nano = field.fixed64()?,
            3 => self.time_unix_nano = field.fixed64()?,
            4 => self.count = field.fixed64()?,
            5 => self.sum = Some(double(field)?),
            6 => self.scale = unzigzag(field.varint()?),
            7 => self.zero_count = field.fixed64()?,
            8 => self.positive = Some(Buckets::read(field.bytes()?)?),
            9 => self.negative = Some(Buckets::read(field.bytes()?)?),
            10 => self.flags = field.varint()? as u32,
            12 => self.min = Some(double(field)?),
            13 => self.max = Some(double(field)?),
            14 => self.zero_threshold = double(field)?,
            _ => {}
        }
        Ok(())
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.raw, 1)
    }

    /// Its exemplars.
    pub fn exemplars(&self) -> impl Iterator<Item = Result<Exemplar<'a>, Malformed>> + use<'a> {
        messages(self.raw, 11).map(|message| message.and_then(Exemplar::read))
    }
}

impl<'a> Buckets<'a> {
    fn read(raw: &'a [u8]) -> Result<Self, Malformed> {
        let mut buckets = Buckets { raw, ..Self::default() };
        for field in fields(raw) {
            let field = field?;
            if field.number == 1 {
                buckets.offset = unzigzag(field.varint()?);
            }
        }
        Ok(buckets)
    }

    /// How many values each bucket has.
    pub fn bucket_counts(&self) -> impl Iterator<Item = Result<u64, Malformed>> + use<'a> {
        Packed::new(self.raw, 2, Fields::varint)
    }
}

impl<'a> SummaryDataPoint<'a> {
    /// Reads an encoded `SummaryDataPoint`.
    pub fn read(raw: &'a [u8]) -> Result<Self, Malformed> {
        let mut point = SummaryDataPoint { raw, ..Self::default() };
        for field in fields(raw) {
            let field = field?;
            match field.number {
                2 => point.start_time_unix_nano = field.fixed64()?,
                3 => point.time_unix_nano = field.fixed64()?,
                4 => point.count = field.fixed64()?,
                5 => point.sum = double(&field)?,
                8 => point.flags = field.varint()? as u32,
                _ => {}
            }
        }
        Ok(point)
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.raw, 7)
    }

    /// Its quantiles.
    pub fn quantile_values(&self) -> impl Iterator<Item = Result<ValueAtQuantile, Malformed>> + use<'a> {
        messages(self.raw, 6).map(|message| message.and_then(ValueAtQuantile::read))
    }
}

impl ValueAtQuantile {
    fn read(raw: &[u8]) -> Result<Self, Malformed> {
        let mut found = ValueAtQuantile::default();
        for field in fields(raw) {
            let field = field?;
            match field.number {
                1 => found.quantile = double(&field)?,
                2 => found.value = double(&field)?,
                _ => {}
            }
        }
        Ok(found)
    }
}

impl<'a> Exemplar<'a> {
    fn read(raw: &'a [u8]) -> Result<Self, Malformed> {
        let mut exemplar = Exemplar { raw, ..Self::default() };
        for field in fields(raw) {
            let field = field?;
            match field.number {
                2 => exemplar.time_unix_nano = field.fixed64()?,
                3 => exemplar.value = Some(Number::Double(double(&field)?)),
                4 => exemplar.span_id = id(field.bytes()?)?.unwrap_or_default(),
                5 => exemplar.trace_id = id(field.bytes()?)?.unwrap_or_default(),
                6 => exemplar.value = Some(Number::Int(field.fixed64()? as i64)),
                _ => {}
            }
        }
        Ok(exemplar)
    }

    /// The attributes that its data point does not have.
    pub fn filtered_attributes(&self) -> Attributes<'a> {
        Attributes::new(self.raw, 7)
    }
}

fn double(field: &Field<'_>) -> Result<f64, Malformed> {
    field.fixed64().map(f64::from_bits)
}

/// The numbers of a repeated field, which encoders may pack into one value, or several, or write one by one.
struct Packed<'a> {
    fields: Fields<'a>,
    number: u32,
    pack: Fields<'a>,
    read: fn(&mut Fields<'a>) -> Result<u64, Malformed>,
}

impl<'a> Packed<'a> {
    fn new(raw: &'a [u8], number: u32, read: fn(&mut Fields<'a>) -> Result<u64, Malformed>) -> Self {
        Packed {
            fields: fields(raw),
            number,
            pack: fields(&[]),
            read,
        }
    }
}

impl Iterator for Packed<'_> {
    type Item = Result<u64, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.pack.remaining() == 0 {
            let field = match self.fields.next()? {
                Ok(field) => field,
                Err(error) => return Some(Err(error)),
            };
            if field.number != self.number {
                continue;
            }
            match field.value {
                FieldValue::Bytes(pack) => self.pack = fields(pack),
                FieldValue::Varint(value) | FieldValue::Fixed64(value) => return Some(Ok(value)),
                FieldValue::Fixed32(_) => return Some(Err(Malformed::FieldType(field.number))),
            }
        }
        let value = (self.read)(&mut self.pack);
        if value.is_err() {
            (self.pack, self.fields) = (fields(&[]), fields(&[]));
        }
        Some(value)
    }
}
