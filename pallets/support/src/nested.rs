// SPDX-License-Identifier: Apache-2.0
//! Errors of crates without FRAME as fields of a pallet's `Error`.

use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::traits::PalletError;
use scale_info::{Type, TypeInfo};

/// An enum without fields as a field of a pallet's `Error`: implements `PalletError` for types of crates that do not
/// depend on FRAME. Its encoding and its type in the metadata are those of `E`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Nested<E>(pub E);

impl<E: TypeInfo> TypeInfo for Nested<E> {
    type Identity = E::Identity;

    fn type_info() -> Type {
        E::type_info()
    }
}

impl<E: Encode + Decode> PalletError for Nested<E> {
    // The index of a variant.
    const MAX_ENCODED_SIZE: usize = 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use agorai_primitives::model::ArchitectureError;

    #[test]
    fn encoding_and_type_are_those_of_the_error() {
        let error = ArchitectureError::TooLarge;
        assert_eq!(Nested(error).encode(), error.encode());
        assert_eq!(
            <Nested<ArchitectureError> as TypeInfo>::type_info(),
            ArchitectureError::type_info()
        );
    }
}
