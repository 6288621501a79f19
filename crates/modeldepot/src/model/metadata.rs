//! Limits on the metadata of a manifest: enough for any description, but too little to exhaust a reader.
//!
//! A value takes many times its JSON size in memory, so even a manifest within its size limit could exhaust it.

use serde::de::{self, Deserialize as _, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::Error;

/// The maximum nesting depth of lists and objects, including the metadata itself. Well below the limits of JSON parsers
/// (128 in this one, 100 in others).
pub(crate) const DEPTH: usize = 64;

/// The maximum number of values, over all levels.
pub(crate) const VALUES: usize = 100_000;

/// Makes sure that metadata can be read again.
///
/// # Errors
/// [`Error::Other`] of kind [`crate::ErrorKind::Invalid`].
pub(crate) fn check(metadata: &Map<String, Value>) -> Result<(), Error> {
    let mut left = VALUES;
    for value in metadata.values() {
        count(value, DEPTH - 1, &mut left)?;
    }
    Ok(())
}

fn count(value: &Value, depth: usize, left: &mut usize) -> Result<(), Error> {
    *left = left.checked_sub(1).ok_or_else(|| Error::metadata_too_large(VALUES))?;
    let deeper = || depth.checked_sub(1).ok_or_else(|| Error::metadata_too_deep(DEPTH));
    match value {
        Value::Array(items) => {
            let depth = deeper()?;
            items.iter().try_for_each(|item| count(item, depth, left))
        }
        Value::Object(object) => {
            let depth = deeper()?;
            object.values().try_for_each(|item| count(item, depth, left))
        }
        _ => Ok(()),
    }
}

/// Reads metadata, and stops at the first value beyond a limit.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    let mut left = VALUES;
    match (Bounded { depth: DEPTH, left: &mut left }).deserialize(deserializer)? {
        Value::Object(object) => Ok(object),
        _ => Err(de::Error::custom("the metadata is not an object")),
    }
}

struct Bounded<'l> {
    depth: usize,
    left: &'l mut usize,
}

impl Bounded<'_> {
    fn deeper<E: de::Error>(&mut self) -> Result<Bounded<'_>, E> {
        let too_deep = || E::custom(format_args!("the metadata is nested more than {DEPTH} levels deep"));
        Ok(Bounded { depth: self.depth.checked_sub(1).ok_or_else(too_deep)?, left: self.left })
    }

    fn take<E: de::Error>(&mut self) -> Result<(), E> {
        let too_many = || E::custom(format_args!("the metadata has more than {VALUES} values"));
        *self.left = self.left.checked_sub(1).ok_or_else(too_many)?;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("metadata")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Value::deserialize(de::value::F64Deserializer::new(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let mut inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Bounded { depth: inner.depth, left: &mut *inner.left })? {
            inner.take()?;
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let mut inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            inner.take()?;
            let value = entries.next_value_seed(Bounded { depth: inner.depth, left: &mut *inner.left })?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Document {
        #[serde(deserialize_with = "deserialize")]
        metadata: Map<String, Value>,
    }

    fn read(metadata: &str) -> Result<Map<String, Value>, serde_json::Error> {
        serde_json::from_str::<Document>(&format!("{{\"metadata\": {metadata}}}")).map(|read| read.metadata)
    }

    fn nested(depth: usize) -> Map<String, Value> {
        let inner = (2..depth).fold(Value::Array(Vec::new()), |inner, _| Value::Array(vec![inner]));
        Map::from_iter([("a".to_owned(), inner)])
    }

    #[test]
    fn both_ways_have_the_same_limits() {
        for (metadata, good) in [
            (nested(DEPTH), true),
            (nested(DEPTH + 1), false),
            (Map::from_iter([("a".to_owned(), Value::from(vec![0; VALUES - 1]))]), true),
            (Map::from_iter([("a".to_owned(), Value::from(vec![0; VALUES]))]), false),
            ((0..VALUES).map(|n| (n.to_string(), Value::Null)).collect(), true),
            ((0..=VALUES).map(|n| (n.to_string(), Value::Null)).collect(), false),
        ] {
            let checked = check(&metadata);
            let back = read(&Value::Object(metadata.clone()).to_string());
            assert_eq!((checked.is_ok(), back.is_ok()), (good, good), "{checked:?} {:?}", back.err());
            if good {
                assert!(read(&Value::Object(metadata.clone()).to_string()).unwrap() == metadata);
            }
        }
    }

    #[test]
    fn every_kind_of_value_comes_back() {
        let text = r#"{"a":[1,-2,3.5,1e300,0.1,true,null,"x\n",{"b":{}},18446744073709551615]}"#;
        let direct: Map<String, Value> = serde_json::from_str(text).unwrap();
        assert_eq!(read(text).unwrap(), direct);
    }

    /// Nesting of any depth, anywhere, must not crash the process.
    #[test]
    fn what_is_nested_endlessly_is_refused() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = format!("{}0{}", open.repeat(200_000), close.repeat(200_000));
            assert!(read(&deep).is_err());
            assert!(read(&format!("{{\"a\": {deep}}}")).is_err());
        }
        assert!(read("[]").is_err());
    }
}
