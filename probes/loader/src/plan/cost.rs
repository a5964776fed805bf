use iced_x86::{Code, Instruction};

/// What a hit costs at an instruction. The figures are of an empty program on a virtual machine with Linux 6.18; on bare
/// metal a single step is cheaper, but still the larger part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// The kernel replaces the instruction by a call, since Linux 6.18: 0.40 us. Emulated by older kernels.
    Replaced,
    /// The kernel does what the instruction does and goes on behind it: 0.57 us (`push`) to 0.61 us (`jcc`).
    Emulated,
    /// The kernel lets the processor execute a copy of the instruction and traps again: 10.3 to 11.3 us.
    SingleStepped,
}

/// The instructions that Linux emulates on x86-64 (`arch/x86/kernel/uprobes.c`): calls, jumps and conditional jumps with a
/// displacement, `push` of a register, and `nop` of one byte.
///
/// Measured, ns a hit: `push` 570, `nop` 582, `call` 594, `jmp` 597, `jcc` 611, five-byte `nop` 395. Single-stepped: `sub`
/// 10 350, `ret` 10 620, `mov` 10 650, `pop` 10 870, `test` 11 080, four-byte `nop` 11 160, `add` 11 280.
pub(crate) fn of(instruction: &Instruction, bytes: &[u8]) -> Cost {
    const FIVE_BYTE_NOP: [u8; 5] = [0x0f, 0x1f, 0x44, 0x00, 0x00];
    if bytes == FIVE_BYTE_NOP {
        return Cost::Replaced;
    }
    let code = instruction.code();
    let jumps = instruction.is_jcc_short_or_near() || instruction.is_jmp_short_or_near();
    // An operand-size prefix makes the kernel give up, whatever follows.
    let plain = bytes.first() != Some(&0x66);
    match code {
        Code::Push_r64 | Code::Call_rel32_64 if plain => Cost::Emulated,
        _ if jumps && plain => Cost::Emulated,
        _ if bytes == [0x90] => Cost::Emulated,
        _ => Cost::SingleStepped,
    }
}
