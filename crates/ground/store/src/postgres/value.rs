//! Values on their way to PostgreSQL and back.

use std::error::Error;

use bytes::{Bytes, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::Value;

type Trouble = Box<dyn Error + Sync + Send>;

/// A value that does not go where a statement wants it: a defect of the statement.
#[derive(Debug, thiserror::Error)]
#[error("{value} for a parameter of type {wanted}")]
pub(super) struct Unbindable {
    value: &'static str,
    wanted: String,
}

/// PostgreSQL's text cannot hold U+0000. Mail may: a field with one must not make a message that nobody can accept, so it
/// is stored as the character that Unicode has for what cannot be shown. Values are compared by the same rule.
const NUL_SHOWN: &str = "\u{FFFD}";

/// A value as a parameter, in the form that the server wants for its place in the statement.
#[derive(Debug)]
pub(super) struct Parameter<'a>(pub(super) &'a Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Trouble> {
        match self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(int) => integer(*int, wanted, out),
            Value::Text(text) if is_text(wanted) => match text.contains('\0') {
                false => text.as_ref().to_sql(&Type::TEXT, out),
                true => text.replace('\0', NUL_SHOWN).to_sql(&Type::TEXT, out),
            },
            Value::Blob(octets) if *wanted == Type::BYTEA => octets.as_ref().to_sql(wanted, out),
            Value::Text(_) | Value::Blob(_) => Err(unbindable(self.0, wanted)),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn integer(int: i64, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Trouble> {
    match *wanted {
        Type::INT8 => int.to_sql(wanted, out),
        Type::INT4 => i32::try_from(int)?.to_sql(wanted, out),
        Type::INT2 => i16::try_from(int)?.to_sql(wanted, out),
        Type::BOOL if int == 0 || int == 1 => (int == 1).to_sql(wanted, out),
        _ => Err(unbindable(&Value::Int(int), wanted)),
    }
}

fn is_text(wanted: &Type) -> bool {
    [Type::TEXT, Type::VARCHAR, Type::BPCHAR, Type::NAME].contains(wanted)
}

fn unbindable(value: &Value, wanted: &Type) -> Trouble {
    Box::new(Unbindable {
        value: value.kind(),
        wanted: wanted.to_string(),
    })
}

/// One column of a row that came back.
pub(super) struct Column(pub(super) Value);

impl<'a> FromSql<'a> for Column {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Trouble> {
        Ok(Self(match *kind {
            Type::INT8 => Value::Int(i64::from_sql(kind, raw)?),
            Type::INT4 => Value::Int(i32::from_sql(kind, raw)?.into()),
            Type::INT2 => Value::Int(i16::from_sql(kind, raw)?.into()),
            Type::BOOL => Value::Int(bool::from_sql(kind, raw)?.into()),
            // What sum() makes of integers.
            Type::NUMERIC => Value::Int(whole_number(raw).ok_or("a number that is not whole")?),
            Type::BYTEA => Value::Blob(Bytes::copy_from_slice(raw)),
            Type::VOID => Value::Null,
            _ if is_text(kind) => Value::from(std::str::from_utf8(raw)?),
            _ => return Err(format!("a column of type {kind}, which no value of ours has").into()),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Trouble> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The server's binary form of NUMERIC (`numeric_send`): four 16-bit fields - digits that follow, weight of the first, sign,
/// digits shown behind the point - then the digits to base 10000.
fn whole_number(raw: &[u8]) -> Option<i64> {
    const NEGATIVE: u16 = 0x4000;
    let fields: Vec<u16> = raw
        .chunks_exact(2)
        .map(|pair| pair.try_into().map(u16::from_be_bytes))
        .collect::<Result<_, _>>()
        .ok()?;
    let (&[count, weight, sign, _shown], digits) = fields.split_first_chunk()?;
    if digits.len() != usize::from(count) || (sign != 0 && sign != NEGATIVE) {
        return None;
    }
    // The weight is signed; below zero there is nothing before the point.
    let before_point = usize::from(weight.wrapping_add(1) & 0x7FFF);
    if digits.iter().skip(before_point).any(|digit| *digit != 0) {
        return None;
    }
    // Negative all the way: i64::MIN has no positive.
    let mut number = 0_i64;
    for place in 0..before_point {
        let digit = digits.get(place).copied().unwrap_or(0);
        number = number.checked_mul(10_000)?.checked_sub(digit.into())?;
    }
    match sign {
        NEGATIVE => Some(number),
        _ => number.checked_neg(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_come_back_from_the_servers_sums() {
        let check = |fields: &[u16], wanted: Option<i64>| {
            let raw: Vec<u8> = fields
                .iter()
                .flat_map(|field| field.to_be_bytes())
                .collect();
            assert_eq!(whole_number(&raw), wanted, "{fields:?}");
        };
        check(&[0, 0, 0, 0], Some(0));
        check(&[1, 0, 0, 0, 42], Some(42));
        check(&[1, 0, 0x4000, 0, 42], Some(-42));
        check(&[2, 1, 0, 0, 1, 2345], Some(12_345));
        // Trailing zeros are not sent.
        check(&[1, 2, 0, 0, 7], Some(700_000_000));
        check(&[5, 4, 0, 0, 922, 3372, 368, 5477, 5807], Some(i64::MAX));
        check(
            &[5, 4, 0x4000, 0, 922, 3372, 368, 5477, 5808],
            Some(i64::MIN),
        );
        check(&[5, 4, 0, 0, 922, 3372, 368, 5477, 5808], None);
        check(&[1, 0xFFFF, 0, 1, 5000], None);
        check(&[2, 0, 0, 1, 1, 5000], None);
        check(&[0, 0, 0xC000, 0], None);
        check(&[2, 0, 0, 0, 1], None);
        check(&[], None);
    }
}
