// SPDX-License-Identifier: Apache-2.0
//! Errors of operations.

use core::fmt;

/// Why an operation rejects its arguments. After an error the contents of its outputs are unspecified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A dimension or the length of a slice is not what the operation requires.
    Shape {
        /// The operation.
        operation: &'static str,
        /// The dimension or length, such as "elements of x".
        dimension: &'static str,
        /// The values that the operation accepts.
        expected: Expected,
        /// The value of the call.
        found: usize,
    },
    /// An index (token, position, target, row) lies outside its table.
    IndexOutOfRange {
        /// The operation.
        operation: &'static str,
        /// The index.
        index: usize,
        /// The number of entries of the table.
        len: usize,
    },
    /// An operand or a result is not a number.
    NotANumber,
    /// A number that must be finite is not.
    NotFinite,
    /// Memory could not be allocated.
    OutOfMemory,
    /// A parameter (temperature, probability, rate) lies outside its domain.
    Parameter,
    /// A segment has more terms than the referee recomputes.
    TooManyTerms,
}

/// The values of a dimension that an operation accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// This value.
    Exactly(usize),
    /// This value or a larger one.
    AtLeast(usize),
    /// This value or a smaller one.
    AtMost(usize),
    /// A multiple of this value.
    MultipleOf(usize),
}

/// The result of an operation.
pub type Result<T> = core::result::Result<T, Error>;

impl Error {
    /// An [`Error::Shape`].
    #[cold]
    #[inline(never)]
    pub fn shape(operation: &'static str, dimension: &'static str, expected: Expected, found: usize) -> Error {
        Error::Shape {
            operation,
            dimension,
            expected,
            found,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Shape {
                operation,
                dimension,
                expected,
                found,
            } => write!(f, "{operation}: {dimension}: expected {expected}, found {found}"),
            Error::IndexOutOfRange { operation, index, len } => {
                write!(f, "{operation}: index {index} is out of range for {len} entries")
            }
            Error::NotANumber => f.write_str("an operand or a result is not a number"),
            Error::NotFinite => f.write_str("a number is not finite"),
            Error::OutOfMemory => f.write_str("memory could not be allocated"),
            Error::Parameter => f.write_str("a parameter is out of its domain"),
            Error::TooManyTerms => f.write_str("a segment has too many terms"),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Exactly(value) => write!(f, "{value}"),
            Expected::AtLeast(value) => write!(f, "at least {value}"),
            Expected::AtMost(value) => write!(f, "at most {value}"),
            Expected::MultipleOf(value) => write!(f, "a multiple of {value}"),
        }
    }
}

impl core::error::Error for Error {}

/// The name of an operation, with checks that return [`Error::Shape`] and [`Error::IndexOutOfRange`].
#[derive(Clone, Copy, Debug)]
pub struct Operation(pub &'static str);

impl Operation {
    /// Checks that `found` equals `expected`.
    #[inline(always)]
    pub fn exactly(self, dimension: &'static str, expected: usize, found: usize) -> Result<()> {
        self.check(found == expected, dimension, Expected::Exactly(expected), found)
    }

    /// Checks that `found` is at least `least`.
    #[inline(always)]
    pub fn at_least(self, dimension: &'static str, least: usize, found: usize) -> Result<()> {
        self.check(found >= least, dimension, Expected::AtLeast(least), found)
    }

    /// Checks that `found` is at most `most`.
    #[inline(always)]
    pub fn at_most(self, dimension: &'static str, most: usize, found: usize) -> Result<()> {
        self.check(found <= most, dimension, Expected::AtMost(most), found)
    }

    /// Checks that `found` is a multiple of `divisor`; only 0 is a multiple of 0.
    #[inline(always)]
    pub fn multiple_of(self, dimension: &'static str, divisor: usize, found: usize) -> Result<()> {
        let expected = Expected::MultipleOf(divisor);
        self.check(found.is_multiple_of(divisor), dimension, expected, found)
    }

    /// Checks that `found` elements are rows of `width`, which is positive.
    #[inline(always)]
    pub fn rows_of(self, dimension: &'static str, width: usize, found: usize) -> Result<()> {
        self.at_least("width", 1, width)?;
        self.multiple_of(dimension, width, found)
    }

    /// Checks that `range` is a range of `0..len`.
    #[inline(always)]
    pub fn range_within(self, dimension: &'static str, len: usize, range: &core::ops::Range<usize>) -> Result<()> {
        self.at_most(dimension, len, range.end)?;
        self.at_most(dimension, range.end, range.start)
    }

    /// Returns the product of two dimensions, or an error if it overflows.
    #[inline(always)]
    pub fn area(self, dimension: &'static str, rows: usize, columns: usize) -> Result<usize> {
        match rows.checked_mul(columns) {
            Some(area) => Ok(area),
            None => Err(self.overflow(dimension, rows, columns)),
        }
    }

    /// Returns `rows + more`, or an error if it overflows.
    #[inline(always)]
    pub fn sum(self, dimension: &'static str, rows: usize, more: usize) -> Result<usize> {
        match rows.checked_add(more) {
            Some(sum) => Ok(sum),
            None => Err(Error::shape(
                self.0,
                dimension,
                Expected::AtMost(usize::MAX - rows),
                more,
            )),
        }
    }

    /// Checks that an index lies in a table of `len` entries.
    #[inline(always)]
    pub fn index(self, index: usize, len: usize) -> Result<()> {
        if index < len {
            Ok(())
        } else {
            Err(self.out_of_range(index, len))
        }
    }

    #[inline(always)]
    fn check(self, fits: bool, dimension: &'static str, expected: Expected, found: usize) -> Result<()> {
        if fits {
            Ok(())
        } else {
            Err(Error::shape(self.0, dimension, expected, found))
        }
    }

    #[cold]
    #[inline(never)]
    fn overflow(self, dimension: &'static str, rows: usize, columns: usize) -> Error {
        let most = usize::MAX.checked_div(rows).unwrap_or(usize::MAX);
        Error::shape(self.0, dimension, Expected::AtMost(most), columns)
    }

    #[cold]
    #[inline(never)]
    fn out_of_range(self, index: usize, len: usize) -> Error {
        Error::IndexOutOfRange {
            operation: self.0,
            index,
            len,
        }
    }
}

/// Returns [`Error::NotANumber`] if the mask of NaN lanes is not empty.
#[inline(always)]
pub(crate) fn no_nan(lanes: u16) -> Result<()> {
    if lanes == 0 {
        Ok(())
    } else {
        Err(Error::NotANumber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    const OPERATION: Operation = Operation("softmax");

    #[test]
    fn shape_error_names_operation_dimension_expected_and_found() {
        let error = OPERATION.multiple_of("elements of x", 4, 7).unwrap_err();
        assert_eq!(
            error,
            Error::Shape {
                operation: "softmax",
                dimension: "elements of x",
                expected: Expected::MultipleOf(4),
                found: 7,
            }
        );
        assert_eq!(
            error.to_string(),
            "softmax: elements of x: expected a multiple of 4, found 7"
        );
    }

    #[test]
    fn checks_accept_what_fits() {
        assert_eq!(OPERATION.exactly("n", 3, 3), Ok(()));
        assert_eq!(OPERATION.at_least("n", 3, 4), Ok(()));
        assert_eq!(OPERATION.at_most("n", 3, 2), Ok(()));
        assert_eq!(OPERATION.multiple_of("n", 3, 6), Ok(()));
        assert_eq!(OPERATION.rows_of("n", 3, 0), Ok(()));
        assert_eq!(OPERATION.range_within("n", 3, &(1..3)), Ok(()));
        assert_eq!(OPERATION.area("n", 3, 4), Ok(12));
        assert_eq!(OPERATION.sum("n", 3, 4), Ok(7));
        assert_eq!(OPERATION.index(2, 3), Ok(()));
    }

    #[test]
    fn checks_reject_what_does_not_fit_and_say_why() {
        let text = |result: Result<()>| result.unwrap_err().to_string();
        assert_eq!(text(OPERATION.exactly("n", 3, 4)), "softmax: n: expected 3, found 4");
        assert_eq!(
            text(OPERATION.at_least("n", 3, 2)),
            "softmax: n: expected at least 3, found 2"
        );
        assert_eq!(
            text(OPERATION.at_most("n", 3, 4)),
            "softmax: n: expected at most 3, found 4"
        );
        assert_eq!(
            text(OPERATION.rows_of("n", 0, 4)),
            "softmax: width: expected at least 1, found 0"
        );
        let reversed = core::ops::Range { start: 2, end: 1 };
        assert_eq!(
            text(OPERATION.range_within("n", 3, &reversed)),
            "softmax: n: expected at most 1, found 2"
        );
        assert_eq!(
            text(OPERATION.range_within("n", 3, &(1..4))),
            "softmax: n: expected at most 3, found 4"
        );
        assert!(OPERATION.area("n", usize::MAX, 2).is_err());
        assert!(OPERATION.sum("n", usize::MAX, 2).is_err());
        assert_eq!(
            text(OPERATION.index(3, 3)),
            "softmax: index 3 is out of range for 3 entries"
        );
    }
}
