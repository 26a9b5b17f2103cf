"""What is measured on the labelled photos, for the benchmarks' reports and for the tests' bounds."""
