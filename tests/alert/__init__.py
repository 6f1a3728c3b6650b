"""What alerts hold, what they are called and where they go."""
