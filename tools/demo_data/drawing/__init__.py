"""Draw people who do not exist, and the places where they walk."""
