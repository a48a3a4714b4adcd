//! HTTP towards media hosts: the client, the check of each address, the judgement of an answer.

pub mod addresses;
pub mod answer;
pub mod client;
