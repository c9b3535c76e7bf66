//! Answers of the contracts as people and programs read them: values and words, the fact's
//! columns, CSV, and the trends of stages. The command line and the console say the same.

pub mod csv;
pub mod fact;
pub mod trend;
pub mod value;
