"""Coverage-guided fuzzing (atheris) of everything that reads foreign bytes outside the sandbox: `make fuzz`."""
