//! What the tests share: the product's binaries, programs that end with the test, and the spans in an exported file.

pub mod kernel;
pub mod load;
mod observed;
mod program;
pub mod servers;
mod spans;
mod traced;

pub use observed::Observed;
pub use program::{PATIENCE, Program, binary, free_port, until};
pub use spans::{Span, in_file, in_text};
pub use traced::{Traced, account, check_account};
