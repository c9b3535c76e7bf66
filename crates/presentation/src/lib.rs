//! Answers of the contracts as people and programs read them: values and words, the fact's
//! columns, CSV, the trends of stages, refusals, and the commands that do the same. The command
//! line and the console say the same.

pub mod command;
pub mod csv;
pub mod fact;
pub mod preview;
pub mod refusal;
pub mod run_end;
pub mod trend;
pub mod value;
