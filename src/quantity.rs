//! Durations and sizes as an operator writes them into the configuration: `90s`, `10m`, `64MiB`.
//!
//! For a member of a `Settings` struct: `#[serde(deserialize_with = "quantity::duration")]`.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

const DURATION_UNITS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

const SIZE_UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// A span of time: a whole number and its unit (`ns us ms s m h d`).
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let nanos =
        deserializer.deserialize_str(Quantity { example: "a duration such as 90s or 10m", units: DURATION_UNITS })?;
    Ok(Duration::from_nanos(nanos))
}

/// An amount of memory: a whole number and its unit (`B kB MB GB KiB MiB GiB`).
pub fn bytes<'de, D: Deserializer<'de>, T: TryFrom<u64>>(deserializer: D) -> Result<T, D::Error> {
    let bytes =
        deserializer.deserialize_str(Quantity { example: "a size such as 512KiB or 64MiB", units: SIZE_UNITS })?;
    T::try_from(bytes).map_err(|_| D::Error::custom(format_args!("{bytes} bytes are too much")))
}

/// A duration that is not nothing.
pub fn some_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let given = duration(deserializer)?;
    if given.is_zero() { Err(D::Error::custom("it must be longer than nothing")) } else { Ok(given) }
}

/// A number above zero.
pub fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let given = f64::deserialize(deserializer)?;
    let is_positive = given.is_finite() && given > 0.0;
    if is_positive { Ok(given) } else { Err(D::Error::custom(format_args!("{given} is not a number above 0"))) }
}

struct Quantity {
    example: &'static str,
    units: &'static [(&'static str, u64)],
}

impl Visitor<'_> for Quantity {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.example)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = text.get(digits.len()..).unwrap_or_default().trim_start();
        let Ok(number) = digits.parse::<u64>() else {
            return Err(E::custom(format_args!("`{text}` is not {}", self.example)));
        };
        let Some((_, factor)) = self.units.iter().find(|(name, _)| *name == unit) else {
            let units: Vec<&str> = self.units.iter().map(|(name, _)| *name).collect();
            return Err(E::custom(format_args!(
                "`{text}` is not {}: the units are {}",
                self.example,
                units.join(", ")
            )));
        };
        number.checked_mul(*factor).ok_or_else(|| E::custom(format_args!("`{text}` is too much")))
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};

    use super::*;

    fn text(text: &str) -> StrDeserializer<'_, Error> {
        text.into_deserializer()
    }

    #[test]
    fn a_quantity_is_a_whole_number_and_its_unit() {
        assert_eq!(duration(text("10m")), Ok(Duration::from_secs(600)));
        assert_eq!(duration(text("250 ms")), Ok(Duration::from_millis(250)));
        assert_eq!(bytes(text("64MiB")), Ok(64_u32 << 20));
        assert_eq!(bytes(text("2kB")), Ok(2000_usize));
        assert_eq!(bytes::<_, u32>(text("4GiB")).unwrap_err().to_string(), "4294967296 bytes are too much");
    }

    #[test]
    fn what_is_divided_by_is_more_than_nothing() {
        let number = |value: f64| positive::<serde::de::value::F64Deserializer<Error>>(value.into_deserializer());
        assert_eq!(number(0.5), Ok(0.5));
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(number(bad).unwrap_err().to_string(), format!("{bad} is not a number above 0"));
        }
        assert_eq!(some_time(text("1ns")), Ok(Duration::from_nanos(1)));
        assert_eq!(some_time(text("0s")).unwrap_err().to_string(), "it must be longer than nothing");
    }

    #[test]
    fn a_quantity_without_a_unit_or_number_is_refused_with_the_remedy() {
        let message = |text_| duration(text(text_)).unwrap_err().to_string();
        assert_eq!(message("10"), "`10` is not a duration such as 90s or 10m: the units are ns, us, ms, s, m, h, d");
        assert_eq!(message("1.5h"), "`1.5h` is not a duration such as 90s or 10m");
        assert_eq!(message("soon"), "`soon` is not a duration such as 90s or 10m");
        assert_eq!(message("-1s"), "`-1s` is not a duration such as 90s or 10m");
        assert_eq!(message("999999999d"), "`999999999d` is too much");
    }
}
