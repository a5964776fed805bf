use super::cost::{self, Cost};
use iced_x86::{
    ConditionCode, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess,
    OpKind, Register,
};
use std::collections::{BTreeMap, BTreeSet};

/// Registers in which Go passes arguments and results, and the one with the current goroutine.
const VALUES: [Register; 10] = [
    Register::RAX,
    Register::RBX,
    Register::RCX,
    Register::RDI,
    Register::RSI,
    Register::R8,
    Register::R9,
    Register::R10,
    Register::R11,
    Register::R14,
];
/// The prologue of a Go function ends well within this many instructions.
const PROLOGUE: usize = 12;
/// Between a call and the test of its results stand a few instructions at most.
const AFTER_CALL: usize = 12;

/// Why a point is where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The `push` behind the check of the stack's room: hit once a call, even if the stack has to grow first.
    EntryPush,
    /// The jump of that check, because the function pushes nothing (before Go 1.21): hit again if the stack has to grow, with
    /// the same arguments.
    StackCheck,
    /// The function's first instruction, because it pushes nothing.
    EntryFirst,
    /// The jump that tests a call's result.
    AfterCall,
    /// A return, because nothing else is passed on that way.
    Return,
}

/// An instruction to attach to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbePoint {
    /// Bytes from the function's beginning.
    pub offset: u64,
    /// Why this instruction.
    pub why: Why,
    /// What a hit costs.
    pub cost: Cost,
}

/// A function, disassembled once. Bytes behind what cannot be decoded are not looked at.
#[derive(Debug)]
pub struct Function<'a> {
    body: &'a [u8],
    entry: u64,
    instructions: BTreeMap<u64, Instruction>,
}

impl<'a> Function<'a> {
    /// Disassembles `body`, which lies at the address `entry`.
    pub fn decode(body: &'a [u8], entry: u64) -> Self {
        let mut decoder = Decoder::with_ip(64, body, entry, DecoderOptions::NONE);
        let mut instructions = BTreeMap::new();
        while decoder.can_decode() {
            let instruction = decoder.decode();
            if instruction.is_invalid() {
                break;
            }
            instructions.insert(instruction.ip(), instruction);
        }
        Function {
            body,
            entry,
            instructions,
        }
    }

    /// Where all arguments are still in their registers, hit once a call; before Go 1.21 once more if the stack grows.
    pub fn entry_point(&self) -> Option<ProbePoint> {
        let mut info = InstructionInfoFactory::new();
        let mut stack_check = None;
        for instruction in self.instructions.values().take(PROLOGUE) {
            if instruction.mnemonic() == Mnemonic::Push {
                return Some(self.point(instruction, Why::EntryPush));
            }
            if instruction.flow_control() == FlowControl::ConditionalBranch {
                stack_check.get_or_insert(instruction);
            } else if instruction.flow_control() != FlowControl::Next {
                break;
            }
            if !spares_values(instruction, &mut info) {
                break;
            }
        }
        if let Some(check) = stack_check {
            return Some(self.point(check, Why::StackCheck));
        }
        // Only a function that checks the stack runs its first instructions again, and one that calls checks it.
        let first = self.instructions.values().next()?;
        let calls = |instruction: &Instruction| instruction.flow_control() == FlowControl::Call;
        let is_leaf = !self.instructions.values().any(calls);
        is_leaf.then(|| self.point(first, Why::EntryFirst))
    }

    /// Where the results of a call of `callee` are still in their registers: the jump that tests them.
    pub fn after_call(&self, callee: u64) -> Option<ProbePoint> {
        let call = self.instructions.values().find(|instruction| {
            instruction.flow_control() == FlowControl::Call && instruction.near_branch_target() == callee
        })?;
        let jump = self.test_behind(call.next_ip())?;
        Some(self.point(jump, Why::AfterCall))
    }

    /// The returns that are not reached from `point` when the tested register is zero there (Go's `err == nil`). `None` if
    /// the jump at `point` tests something else, or where it leads cannot be told.
    pub fn returns_past(&self, point: &ProbePoint) -> Option<Vec<ProbePoint>> {
        let jump = self.instructions.get(&(self.entry + point.offset))?;
        let (_, test) = self.instructions.range(..jump.ip()).next_back()?;
        let on_itself = test.op0_register() == test.op1_register() && test.op1_kind() == OpKind::Register;
        if test.mnemonic() != Mnemonic::Test || !on_itself {
            return None;
        }
        let when_zero = match jump.condition_code() {
            ConditionCode::e => jump.near_branch_target(),
            ConditionCode::ne => jump.next_ip(),
            _ => return None,
        };
        let passed = self.reached_from(when_zero)?;
        let past = self
            .returns()
            .filter(|point| !passed.contains(&(self.entry + point.offset)));
        Some(past.collect())
    }

    /// How far below its place at the function's entry the stack pointer stands when `callee` is called; `None` if the way
    /// there is not straight.
    pub fn stack_at_call(&self, callee: u64) -> Option<u64> {
        let mut depth = 0;
        for instruction in self.instructions.values() {
            match instruction.flow_control() {
                FlowControl::Call if instruction.near_branch_target() == callee => return Some(depth),
                FlowControl::Next | FlowControl::ConditionalBranch | FlowControl::Call | FlowControl::IndirectCall => {
                    depth = depth_after(instruction, depth)?;
                }
                _ => return None,
            }
        }
        None
    }

    /// Whether the function keeps its first argument where Go's ABI has room for it: above the return address.
    pub fn keeps_first_argument(&self) -> bool {
        const RETURN_ADDRESS: u64 = 8;
        let mut depth = 0;
        for instruction in self.instructions.values().take(PROLOGUE + 4) {
            let keeps = instruction.mnemonic() == Mnemonic::Mov
                && instruction.memory_base() == Register::RSP
                && instruction.op0_kind() == OpKind::Memory
                && instruction.op1_register() == Register::RAX
                && instruction.memory_displacement64() == depth + RETURN_ADDRESS;
            if keeps {
                return true;
            }
            let writes_first = instruction.op0_kind() == OpKind::Register
                && instruction.op0_register().full_register() == Register::RAX
                && instruction.mnemonic() != Mnemonic::Test
                && instruction.mnemonic() != Mnemonic::Cmp;
            match depth_after(instruction, depth) {
                Some(after) if !writes_first => depth = after,
                _ => return false,
            }
        }
        false
    }

    /// All returns.
    pub fn returns(&self) -> impl Iterator<Item = ProbePoint> + '_ {
        let returns = self
            .instructions
            .values()
            .filter(|instruction| instruction.flow_control() == FlowControl::Return);
        returns.map(|instruction| self.point(instruction, Why::Return))
    }

    /// The first conditional jump from `from` on, if nothing before it overwrites a result.
    fn test_behind(&self, from: u64) -> Option<&Instruction> {
        let mut info = InstructionInfoFactory::new();
        let mut at = from;
        for _ in 0..AFTER_CALL {
            let instruction = self.instructions.get(&at)?;
            match instruction.flow_control() {
                FlowControl::ConditionalBranch if instruction.is_jcc_short_or_near() => return Some(instruction),
                FlowControl::UnconditionalBranch => at = instruction.near_branch_target(),
                FlowControl::Next if spares_values(instruction, &mut info) => at = instruction.next_ip(),
                _ => return None,
            }
        }
        None
    }

    /// Addresses of all instructions that can follow, within this function. `None` if a jump's target is computed.
    fn reached_from(&self, start: u64) -> Option<BTreeSet<u64>> {
        let mut reached = BTreeSet::new();
        let mut open = vec![start];
        while let Some(at) = open.pop() {
            let Some(instruction) = self.instructions.get(&at) else {
                continue;
            };
            if !reached.insert(at) {
                continue;
            }
            match instruction.flow_control() {
                FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall => open.push(instruction.next_ip()),
                FlowControl::ConditionalBranch => {
                    open.extend([instruction.next_ip(), instruction.near_branch_target()])
                }
                FlowControl::UnconditionalBranch => open.push(instruction.near_branch_target()),
                FlowControl::IndirectBranch => return None,
                _ => {}
            }
        }
        Some(reached)
    }

    fn point(&self, instruction: &Instruction, why: Why) -> ProbePoint {
        let offset = instruction.ip() - self.entry;
        let start = offset as usize;
        let bytes = self.body.get(start..start + instruction.len()).unwrap_or_default();
        ProbePoint {
            offset,
            why,
            cost: cost::of(instruction, bytes),
        }
    }
}

/// Where the stack pointer stands after an instruction, as bytes below its place at the function's entry. `None` if that cannot
/// be told.
fn depth_after(instruction: &Instruction, depth: u64) -> Option<u64> {
    let moves = instruction.op0_kind() == OpKind::Register && instruction.op0_register() == Register::RSP;
    match instruction.mnemonic() {
        Mnemonic::Push => Some(depth + 8),
        Mnemonic::Pop => depth.checked_sub(8),
        Mnemonic::Sub if moves => depth.checked_add_signed(instruction.try_immediate(1).ok()? as i64),
        Mnemonic::Add if moves => depth.checked_add_signed((instruction.try_immediate(1).ok()? as i64).checked_neg()?),
        Mnemonic::Cmp | Mnemonic::Test => Some(depth),
        _ if moves => None,
        _ => Some(depth),
    }
}

/// Whether an instruction leaves all registers as they are that may hold an argument or a result.
fn spares_values(instruction: &Instruction, info: &mut InstructionInfoFactory) -> bool {
    let used = info.info(instruction).used_registers();
    !used.iter().any(|used| {
        let writes = !matches!(
            used.access(),
            OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess | OpAccess::None
        );
        writes && VALUES.contains(&used.register().full_register())
    })
}
