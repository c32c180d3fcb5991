// SPDX-License-Identifier: Apache-2.0
//! Why an operation is refused.

use core::fmt;

/// Why an operation is refused. After an error the contents of its outputs are unspecified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The slices do not have the lengths that the shape asks for.
    Shape,
    /// An operand or a result is not a number.
    NotANumber,
    /// A number that must be finite is not.
    NotFinite,
    /// Memory of this size cannot be had.
    OutOfMemory,
    /// An index (token, position, target) lies outside its table.
    IndexOutOfRange,
    /// A parameter (temperature, probability, rate) lies outside its domain.
    Parameter,
    /// A segment has more terms than the referee recomputes.
    TooManyTerms,
}

/// The result of an exact operation.
pub type Result<T> = core::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Shape => "the slices do not fit the shape",
            Error::NotANumber => "an operand or a result is not a number",
            Error::NotFinite => "a number is not finite",
            Error::OutOfMemory => "memory of this size cannot be had",
            Error::IndexOutOfRange => "an index lies outside its table",
            Error::Parameter => "a parameter lies outside its domain",
            Error::TooManyTerms => "a segment has too many terms",
        })
    }
}

impl core::error::Error for Error {}

/// [`Error::Shape`] unless the condition holds.
#[inline(always)]
pub(crate) fn shape(fits: bool) -> Result<()> {
    if fits {
        Ok(())
    } else {
        Err(Error::Shape)
    }
}

/// The product of two dimensions, or [`Error::Shape`] where it overflows.
#[inline(always)]
pub(crate) fn area(rows: usize, columns: usize) -> Result<usize> {
    rows.checked_mul(columns).ok_or(Error::Shape)
}

/// [`Error::NotANumber`] if any lane was marked.
#[inline(always)]
pub(crate) fn no_nan(lanes: u16) -> Result<()> {
    if lanes == 0 {
        Ok(())
    } else {
        Err(Error::NotANumber)
    }
}
