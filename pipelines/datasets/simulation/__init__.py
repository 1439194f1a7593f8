"""Parts of the simulated streaming service: size, catalogue, people, sessions."""
