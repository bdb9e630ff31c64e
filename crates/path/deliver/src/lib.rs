//! One attempt: dial, speak, hand over, note the exact reply.
