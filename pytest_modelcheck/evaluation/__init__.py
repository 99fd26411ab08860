"""How a model is measured on data: what data is, one shared pass over it, and the arithmetic of a gate."""
