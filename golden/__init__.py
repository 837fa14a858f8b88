"""What is right: training, the network file, the integer model, oracles, vectors and traces."""
