//! Values: borrowed on their way to a store, owned on their way back.

use super::{OwnedValue, Value};

impl OwnedValue {
    /// The same value, borrowed.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing::SqlPool;
    /// let kept = OwnedValue::Text("a/b".to_owned());
    /// # let double = SqlPool::named("main");
    /// let pool = Pool::open("main").unwrap();
    /// pool.exec("DELETE FROM kept WHERE topic = ?", &[kept.borrow()]).unwrap();
    /// # assert_eq!(double.stored()[0].rows[0][0], kept);
    /// ```
    #[must_use]
    pub fn borrow(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(value) => Value::Boolean(*value),
            Self::Integer(value) => Value::Integer(*value),
            Self::Float(value) => Value::Float(*value),
            Self::Text(value) => Value::Text(value),
            Self::Blob(value) => Value::Blob(value),
            Self::Other((kind, text)) => Value::Other((kind, text)),
        }
    }

    /// The text, if it is one.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// assert_eq!(OwnedValue::Text("a/b".to_owned()).as_text(), Some("a/b"));
    /// assert_eq!(OwnedValue::Integer(7).as_text(), None);
    /// ```
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(value) => Some(value),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// assert_eq!(OwnedValue::Integer(7).as_integer(), Some(7));
    /// assert_eq!(OwnedValue::Null.as_integer(), None);
    /// ```
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The bytes, if it is bytes.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// assert_eq!(OwnedValue::Blob(vec![1, 2]).as_blob(), Some(&[1, 2][..]));
    /// assert_eq!(OwnedValue::Text("12".to_owned()).as_blob(), None);
    /// ```
    #[must_use]
    pub fn as_blob(&self) -> Option<&[u8]> {
        match self {
            Self::Blob(value) => Some(value),
            _ => None,
        }
    }
}

impl Value<'_> {
    /// A time or a count, as a whole number. What is beyond [`i64::MAX`], which
    /// times are not for 292 million years, becomes `i64::MAX`.
    ///
    /// ```
    /// # use hookwire_sdk::sql::Value;
    /// let at_ms: u64 = 1_479_202_840_000;
    /// assert_eq!(Value::unsigned(at_ms), 1_479_202_840_000_i64.into());
    /// ```
    #[must_use]
    pub fn unsigned(value: u64) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }

    /// The same value, with text and bytes of its own.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// let topic = "a/b".to_owned();
    /// let borrowed: Value = (&topic).into();
    /// let kept = borrowed.to_owned_value();
    /// drop(topic);
    /// assert_eq!(kept.as_text(), Some("a/b"));
    /// ```
    #[must_use]
    pub fn to_owned_value(&self) -> OwnedValue {
        match *self {
            Self::Null => OwnedValue::Null,
            Self::Boolean(value) => OwnedValue::Boolean(value),
            Self::Integer(value) => OwnedValue::Integer(value),
            Self::Float(value) => OwnedValue::Float(value),
            Self::Text(value) => OwnedValue::Text(value.to_owned()),
            Self::Blob(value) => OwnedValue::Blob(value.to_owned()),
            Self::Other((kind, text)) => OwnedValue::Other((kind.to_owned(), text.to_owned())),
        }
    }
}

impl PartialEq<Value<'_>> for OwnedValue {
    fn eq(&self, other: &Value<'_>) -> bool {
        self.borrow() == *other
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Blob(value)
    }
}

impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(value: &'a Vec<u8>) -> Self {
        Self::Blob(value)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

macro_rules! whole_numbers {
    ($($number:ty),+) => {$(
        impl From<$number> for Value<'_> {
            fn from(value: $number) -> Self {
                Self::Integer(value.into())
            }
        }
    )+};
}

whole_numbers!(u8, u16, u32, i8, i16, i32, i64);

impl From<f64> for Value<'_> {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
