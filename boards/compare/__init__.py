"""What the hardware costs, measured: `bambino compare`, binary accumulates against multiplies."""
