//! YAML and JSON documents whose every value knows its line.
