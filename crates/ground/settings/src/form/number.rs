//! Whole numbers, fractions, and yes or no.

use toml::de::{DeFloat, DeInteger, DeValue};

use crate::form::{Misread, Shape, Value, Written, misread, wrong_type};
use crate::problem::Fault;

macro_rules! whole_number {
    ($($type:ty),+) => { $(
        impl Value for $type {
            const SHAPE: Shape = Shape::Number;

            fn form() -> String {
                "a whole number".to_owned()
            }

            fn read(value: &Written<'_>) -> Result<Self, Vec<Misread>> {
                let DeValue::Integer(number) = value.get_ref() else {
                    return Err(wrong_type(value, &Self::form(), "write digits, without quotes"));
                };
                <$type>::from_str_radix(number.as_str(), number.radix()).map_err(|_| {
                    let bounds = format!("write a number from 0 to {}", <$type>::MAX);
                    misread(value, Fault::new(format!("{number} does not fit"), bounds))
                })
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )+ };
}
whole_number!(u16, u32, u64);

impl Value for f64 {
    const SHAPE: Shape = Shape::Number;

    fn form() -> String {
        "a fraction such as 0.1".to_owned()
    }

    fn read(value: &Written<'_>) -> Result<Self, Vec<Misread>> {
        let written = value.get_ref();
        let fraction = written.as_float().map(DeFloat::as_str);
        let digits = fraction.or_else(|| written.as_integer().map(DeInteger::as_str));
        let Some(digits) = digits else {
            return Err(wrong_type(
                value,
                &Self::form(),
                "write digits, without quotes",
            ));
        };
        match digits.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            Ok(_) | Err(_) => {
                let what = format!("{digits} is not a finite number");
                Err(misread(value, Fault::new(what, "write one such as 0.1")))
            }
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for bool {
    const SHAPE: Shape = Shape::Truth;

    fn form() -> String {
        "true or false".to_owned()
    }

    fn read(value: &Written<'_>) -> Result<Self, Vec<Misread>> {
        let remedy = "write true or false, without quotes";
        let answer = value.get_ref().as_bool();
        answer.ok_or_else(|| wrong_type(value, &Self::form(), remedy))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}
