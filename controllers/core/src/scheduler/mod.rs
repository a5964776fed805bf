//! What the scheduler decides: the ConfigMap that says which configuration is in force ([`effective_config`]), which
//! collectors there should be ([`groups`]), and the objects that profiles bring ([`profile_objects`]).

pub mod effective_config;
pub mod groups;
pub mod profile_objects;
