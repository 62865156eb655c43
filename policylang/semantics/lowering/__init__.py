"""From syntax to the intermediate representation: bodies, heads and messages of rules."""
