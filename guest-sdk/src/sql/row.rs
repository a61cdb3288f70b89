//! Rows of an answer, read by the name or the number of a column.

use super::{OwnedValue, RowSet};
use crate::Fault;
use crate::nearest::hint;

impl RowSet {
    /// The rows, in order.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing;
    /// let answer = testing::rows(["topic", "qos"], [["a".into(), 1.into()], ["b".into(), 2.into()]]);
    /// let topics: Result<Vec<&str>, Fault> = answer.iter().map(|row| row.get("topic")).collect();
    /// assert_eq!(topics.unwrap(), ["a", "b"]);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        let columns = &self.columns;
        self.rows.iter().map(move |values| Row { columns, values })
    }

    /// The first row, if there is one.
    ///
    /// ```
    /// # use hookwire_sdk::testing;
    /// let answer = testing::rows(["until_ms"], [[7.into()], [8.into()]]);
    /// assert_eq!(answer.first().unwrap().get::<i64>("until_ms").unwrap(), 7);
    /// assert!(testing::rows(["until_ms"], []).first().is_none());
    /// ```
    #[must_use]
    pub fn first(&self) -> Option<Row<'_>> {
        self.iter().next()
    }
}

/// One row of an answer.
///
/// ```
/// # use hookwire_sdk::prelude::*;
/// # use hookwire_sdk::testing;
/// use hookwire_sdk::sql::Row;
///
/// fn ban(row: &Row<'_>) -> Result<(String, Option<i64>), Fault> {
///     Ok((row.get("reason")?, row.get("until_ms")?))
/// }
///
/// let answer = testing::rows(["reason", "until_ms"], [["too loud".into(), Value::Null]]);
/// assert_eq!(ban(&answer.first().unwrap()).unwrap(), ("too loud".to_owned(), None));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Row<'r> {
    columns: &'r [String],
    values: &'r [OwnedValue],
}

impl<'r> Row<'r> {
    /// The value in a column, which is named, or numbered from 0.
    ///
    /// ```
    /// # use hookwire_sdk::prelude::*;
    /// # use hookwire_sdk::testing;
    /// let answer = testing::rows(["mid", "note"], [[7.into(), Value::Null]]);
    /// let row = answer.first().unwrap();
    /// assert_eq!(row.get::<i64>("mid").unwrap(), 7);
    /// assert_eq!(row.get::<i64>(0).unwrap(), 7);
    /// assert_eq!(row.get::<Option<&str>>("note").unwrap(), None);
    ///
    /// let fault = row.get::<&str>("mid").unwrap_err();
    /// assert_eq!(fault.message, "the column `mid` holds a whole number, not a text");
    /// let fault = row.get::<i64>("mit").unwrap_err();
    /// assert_eq!(fault.message, "the answer has no column `mit`; did you mean \"mid\"?");
    /// ```
    ///
    /// # Errors
    /// `Invalid` where there is no such column, or its value is no `T`. NULL is
    /// one only of an `Option`.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a name or a number is a reference already"
    )]
    pub fn get<T: FromValue<'r>>(&self, column: impl Column) -> Result<T, Fault> {
        let place = column.place(self.columns)?;
        let Some(value) = self.values.get(place) else {
            return Err(no_column(format!("the row has no column {place}")));
        };
        T::from_value(value).ok_or_else(|| {
            let message = format!(
                "the column `{}` holds {}, not {}",
                self.columns.get(place).map_or("", String::as_str),
                held(value),
                T::NAME
            );
            Fault::invalid("hookwire:column", message)
        })
    }

    /// The values, in the order of the columns.
    ///
    /// ```
    /// # use hookwire_sdk::testing;
    /// let answer = testing::rows(["topic", "qos"], [["a/#".into(), 1.into()]]);
    /// let values = answer.first().unwrap().values();
    /// assert_eq!(values[0].as_text(), Some("a/#"));
    /// assert_eq!(values[1].as_integer(), Some(1));
    /// ```
    #[must_use]
    pub fn values(&self) -> &'r [OwnedValue] {
        self.values
    }
}

/// Names a column: by its name as the statement gives it, or by its number.
///
/// ```
/// # use hookwire_sdk::testing;
/// let answer = testing::rows(["topic", "qos"], [["a/#".into(), 1.into()]]);
/// let row = answer.first().unwrap();
/// assert_eq!(row.get::<i64>("qos").unwrap(), row.get::<i64>(1).unwrap());
/// assert!(row.get::<i64>(2).is_err());
/// ```
pub trait Column {
    /// Its number among `columns`.
    ///
    /// ```
    /// use hookwire_sdk::sql::Column;
    ///
    /// let columns = ["topic".to_owned(), "qos".to_owned()];
    /// assert_eq!("qos".place(&columns).unwrap(), 1);
    /// assert!("qso".place(&columns).is_err());
    /// ```
    ///
    /// # Errors
    /// `Invalid` where there is none of that name.
    fn place(&self, columns: &[String]) -> Result<usize, Fault>;
}

impl Column for &str {
    fn place(&self, columns: &[String]) -> Result<usize, Fault> {
        let place = columns.iter().position(|column| column == self);
        place.ok_or_else(|| {
            let names: Vec<&str> = columns.iter().map(String::as_str).collect();
            let hint = hint(self, &names);
            no_column(format!("the answer has no column `{self}`; {hint}"))
        })
    }
}

impl Column for usize {
    fn place(&self, _: &[String]) -> Result<usize, Fault> {
        Ok(*self)
    }
}

fn no_column(message: String) -> Fault {
    Fault::invalid("hookwire:column", message)
}

/// A type that a column's value can be read as.
///
/// A type of one's own is one too:
///
/// ```
/// use hookwire_sdk::sql::{FromValue, OwnedValue};
/// use hookwire_sdk::testing;
///
/// #[derive(Debug, PartialEq)]
/// enum Role {
///     Reader,
///     Writer,
/// }
///
/// impl FromValue<'_> for Role {
///     const NAME: &'static str = "`reader` or `writer`";
///
///     fn from_value(value: &OwnedValue) -> Option<Self> {
///         match value.as_text()? {
///             "reader" => Some(Self::Reader),
///             "writer" => Some(Self::Writer),
///             _ => None,
///         }
///     }
/// }
///
/// let answer = testing::rows(["role"], [["writer".into()], ["owner".into()]]);
/// let roles: Vec<_> = answer.iter().map(|row| row.get::<Role>("role")).collect();
/// assert_eq!(roles[0].as_ref().unwrap(), &Role::Writer);
/// let fault = roles[1].as_ref().unwrap_err();
/// assert_eq!(fault.message, "the column `role` holds a text, not `reader` or `writer`");
/// ```
pub trait FromValue<'r>: Sized {
    /// What a fault calls it: `a whole number`.
    const NAME: &'static str;

    /// The value, if it is one.
    fn from_value(value: &'r OwnedValue) -> Option<Self>;
}

macro_rules! from_value {
    ($($type:ty, $name:literal, $value:pat => $read:expr;)+) => {$(
        impl<'r> FromValue<'r> for $type {
            const NAME: &'static str = $name;

            fn from_value(value: &'r OwnedValue) -> Option<Self> {
                match value {
                    $value => $read,
                    _ => None,
                }
            }
        }
    )+};
}

from_value! {
    i64, "a whole number", OwnedValue::Integer(value) => Some(*value);
    f64, "a number", OwnedValue::Float(value) => Some(*value);
    &'r str, "a text", OwnedValue::Text(value) => Some(value);
    String, "a text", OwnedValue::Text(value) => Some(value.clone());
    &'r [u8], "bytes", OwnedValue::Blob(value) => Some(value);
    Vec<u8>, "bytes", OwnedValue::Blob(value) => Some(value.clone());
}

impl FromValue<'_> for bool {
    const NAME: &'static str = "true or false";

    /// Stores without truths of their own answer 0 and 1.
    fn from_value(value: &OwnedValue) -> Option<Self> {
        match value {
            OwnedValue::Boolean(value) => Some(*value),
            OwnedValue::Integer(0) => Some(false),
            OwnedValue::Integer(1) => Some(true),
            _ => None,
        }
    }
}

impl<'r> FromValue<'r> for &'r OwnedValue {
    const NAME: &'static str = "a value";

    fn from_value(value: &'r OwnedValue) -> Option<Self> {
        Some(value)
    }
}

impl<'r, T: FromValue<'r>> FromValue<'r> for Option<T> {
    const NAME: &'static str = T::NAME;

    fn from_value(value: &'r OwnedValue) -> Option<Self> {
        match value {
            OwnedValue::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

fn held(value: &OwnedValue) -> String {
    let name = match value {
        OwnedValue::Null => "NULL",
        OwnedValue::Boolean(_) => "true or false",
        OwnedValue::Integer(_) => "a whole number",
        OwnedValue::Float(_) => "a number",
        OwnedValue::Text(_) => "a text",
        OwnedValue::Blob(_) => "bytes",
        OwnedValue::Other((kind, _)) => return format!("a value of type {kind}"),
    };
    name.to_owned()
}
