"""Two exported models before simulated people who respond to what they are shown."""
