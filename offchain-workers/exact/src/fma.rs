// SPDX-License-Identifier: Apache-2.0
//! Correctly rounded fused multiply-add and square root, in hardware and in software.

/// Returns `a * b + c`, rounded once.
#[inline(always)]
pub fn fma(a: f32, b: f32, c: f32) -> f32 {
    #[cfg(feature = "std")]
    {
        a.mul_add(b, c)
    }
    #[cfg(not(feature = "std"))]
    {
        fma_software(a, b, c)
    }
}

/// Returns the square root, correctly rounded.
#[inline(always)]
pub fn sqrt(x: f32) -> f32 {
    #[cfg(feature = "std")]
    {
        x.sqrt()
    }
    #[cfg(not(feature = "std"))]
    {
        sqrt_software(x)
    }
}

/// Returns `a * b + c`, rounded once, with binary64 additions and multiplications only (WebAssembly has no fused
/// multiply-add).
///
/// The product of two binary32 numbers is exact in binary64. Their sum with `c` is rounded *to odd*:
/// an inexact sum whose last bit is even moves one step towards the exact value. A number rounded
/// to odd with at least two spare bits rounds to binary32 as the exact one does (Boldo and
/// Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
pub fn fma_software(a: f32, b: f32, c: f32) -> f32 {
    let product = f64::from(a) * f64::from(b);
    let c = f64::from(c);
    let sum = product + c;
    if !sum.is_finite() {
        return sum as f32;
    }
    // The rounding error of the sum, exact (Knuth's TwoSum: nothing here over- or underflows).
    let c_part = sum - product;
    let error = (product - (sum - c_part)) + (c - c_part);
    let bits = sum.to_bits();
    if error == 0.0 || bits & 1 == 1 {
        return sum as f32;
    }
    // The sum is not zero here: a sum that cancels to zero is exact.
    let away_from_zero = (error > 0.0) == (sum > 0.0);
    let odd = if away_from_zero { bits + 1 } else { bits - 1 };
    f64::from_bits(odd) as f32
}

/// Returns the square root, correctly rounded, with integer arithmetic only.
pub fn sqrt_software(x: f32) -> f32 {
    const MANTISSA: u32 = 0x007f_ffff;
    if x == 0.0 || x.is_nan() || x == f32::INFINITY {
        return x;
    }
    if x < 0.0 {
        return f32::NAN;
    }
    let bits = x.to_bits();
    let mut exponent = (bits >> 23) as i32;
    let mut mantissa = bits & MANTISSA;
    if exponent == 0 {
        let shift = mantissa.leading_zeros() - 8;
        mantissa <<= shift;
        exponent = 1 - shift as i32;
    } else {
        mantissa |= 1 << 23;
    }
    // x = mantissa * 2^power. Shift so that the power is even and the root has 25 bits.
    let power = exponent - 150;
    let shift = if power & 1 == 0 { 26 } else { 25 };
    let root = (u64::from(mantissa) << shift).isqrt();
    // A root of 25 significant bits is never exactly half way, so the last bit decides alone.
    let rounded = ((root + 1) >> 1) as u32;
    // The root is rounded * 2^(1 + (power - shift) / 2), with rounded in [2^23, 2^24].
    let biased = (1 + (power - shift) / 2 + 150) as u32;
    f32::from_bits((biased << 23) + (rounded - (1 << 23)))
}
