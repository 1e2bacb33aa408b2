"""The parts of the report: each module has `measure(bench)`, which is called in a process of its own."""
