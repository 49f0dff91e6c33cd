//! What the optimiser and the verifier must not know.

/// Hides where `value` came from, so that the optimiser cannot make a branch of it.
#[inline(always)]
pub fn opaque(value: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    {
        let mut value = value;
        // One instruction, for an empty sequence leaves two line records at one offset, which the
        // verifier refuses.
        // SAFETY: copies a register onto itself.
        unsafe { core::arch::asm!("{0} = {0}", inout(reg) value, options(pure, nomem, nostack)) };
        value
    }
    #[cfg(not(target_arch = "bpf"))]
    value
}

/// All ones where the highest bit of `value` is set, else 0.
///
/// In one instruction: what is masked with a shifted sign, LLVM takes for a choice, and BPF has none but a
/// branch. In a search such a branch is guessed wrong every second time.
#[inline(always)]
pub(crate) fn spread_sign(value: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    {
        let mut value = value;
        // SAFETY: changes a register.
        unsafe { core::arch::asm!("{0} s>>= 63", inout(reg) value, options(pure, nomem, nostack)) };
        value
    }
    #[cfg(not(target_arch = "bpf"))]
    (value.cast_signed() >> 63).cast_unsigned()
}

/// Keeps the optimiser from leaving out what makes `value`, though nobody uses it.
#[inline(always)]
pub(crate) fn demand(value: u64) {
    #[cfg(target_arch = "bpf")]
    // SAFETY: copies a register onto itself.
    unsafe {
        core::arch::asm!("{0} = {0}", inout(reg) value => _, options(nomem, nostack));
    }
    #[cfg(not(target_arch = "bpf"))]
    core::hint::black_box(value);
}

/// The same value, of which the verifier knows nothing any more: so states that differ in it alone are
/// one to it. `noise` is a value that it does not know either.
#[inline(always)]
pub(crate) fn forget(value: u64, noise: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    {
        let mut value = value;
        // SAFETY: changes a register and changes it back.
        unsafe {
            core::arch::asm!(
                "{0} ^= {1}",
                "{0} ^= {1}",
                inout(reg) value,
                in(reg) noise,
                options(pure, nomem, nostack)
            );
        }
        value
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        let _ = noise;
        value
    }
}
