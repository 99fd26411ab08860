"""How a model is looked at: one forward pass with hooks, the grammar of shapes, and its parameters counted."""
