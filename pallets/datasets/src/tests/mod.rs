// SPDX-License-Identifier: Apache-2.0
mod publish;
mod withdraw;
