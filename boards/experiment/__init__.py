"""The page of the paper's experiment: tables and pictures from results, network and machines."""
