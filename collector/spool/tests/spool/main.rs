//! The queue on a simulated disk that crashes and fails, and on the real one under a process that is killed.

mod crash;
mod damage;
mod directory;
mod faults;
mod killed;
mod model;
mod queue;
