"""What is the machine: the generator, the lowering and the cycle model."""
