//! The bootstrap: takes executions from Lambda's Runtime API, or from the local stand-in for Lambda.
