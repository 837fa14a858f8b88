"""The paper's experiment: from folders of audio to networks, figures and their file of results."""
