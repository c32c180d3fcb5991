// SPDX-License-Identifier: Apache-2.0
//! The numbers that GGUF, and the names that safetensors, give to [`ElementType`]s.

use agorai_exact::element::{BlockFormat, ElementType};

/// Returns the element type with a GGUF number.
pub fn from_gguf_number(number: u32) -> Option<ElementType> {
    let mut all = ElementType::ALL.into_iter();
    all.find(|element| gguf_number(*element) == number)
}

/// Returns the GGUF number of an element type.
pub fn gguf_number(element: ElementType) -> u32 {
    match element {
        ElementType::F32 => 0,
        ElementType::F16 => 1,
        ElementType::Bf16 => 30,
        ElementType::Block(BlockFormat::Q4_0) => 2,
        ElementType::Block(BlockFormat::Q4_1) => 3,
        ElementType::Block(BlockFormat::Q5_0) => 6,
        ElementType::Block(BlockFormat::Q5_1) => 7,
        ElementType::Block(BlockFormat::Q8_0) => 8,
        ElementType::Block(BlockFormat::Q4K) => 12,
        ElementType::Block(BlockFormat::Q5K) => 13,
        ElementType::Block(BlockFormat::Q6K) => 14,
    }
}

/// Returns the plain element type with a safetensors name.
pub fn from_safetensors_name(name: &str) -> Option<ElementType> {
    match name {
        "F32" => Some(ElementType::F32),
        "F16" => Some(ElementType::F16),
        "BF16" => Some(ElementType::Bf16),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_their_numbers_and_names() {
        for element in ElementType::ALL {
            assert_eq!(from_gguf_number(gguf_number(element)), Some(element));
            let plain = element.is_plain().then_some(element);
            assert_eq!(from_safetensors_name(element.name()), plain);
        }
        assert_eq!(from_gguf_number(99), None);
    }
}
